"""Where the rules and relays of a link go, and that all of them are removed again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.errors import StackError
from harness.faults.docker.link_model import LinkSettings
from harness.faults.kinds import partition
from harness.faults.kinds.link_quality import LinkInjector

PIDS = {"engine": 11, "redis": 22}
NETWORKS = {
    "engine": {"b": "10.1.0.1", "c": "10.2.0.1", "own": "10.3.0.1"},
    "redis": {"b": "10.1.0.2", "c": "10.2.0.2"},
}


@dataclass
class Host:
    """Takes down every command and every relay."""

    rules: list[tuple[int, str, str]] = field(default_factory=list)
    relays: list[Any] = field(default_factory=list)
    refuses: bool = False
    slow: int = 0

    def inspect(self, name: str) -> dict[str, Any]:
        networks = {key: {"IPAddress": value} for key, value in NETWORKS[name].items()}
        return {
            "State": {"Pid": PIDS[name]},
            "NetworkSettings": {"Networks": networks},
            "Config": {"Env": []},
        }

    def run(self, pid: int, *argv: str) -> tuple[int, str]:
        assert argv[0] == "iptables"
        rule = (pid, argv[argv.index("-s") + 1], argv[argv.index("-j") + 1])
        if self.slow:
            self.slow -= 1
            raise StackError("has not ended after 5 s", where="iptables")
        if "-D" in argv:
            self.rules.remove(rule)
        elif self.refuses:
            return 1, "no such target"
        else:
            assert "--queue-bypass" in argv
            self.rules.append(rule)
        return 0, ""

    def start(self, pid: int, queue: int, line: LinkSettings) -> Any:
        relay = Relay(pid, queue, line)
        self.relays.append(relay)
        return relay


@dataclass
class Relay:
    """Knows whether it was ended."""

    pid: int
    queue: int
    line: LinkSettings
    ended: bool = False
    breaks: bool = False

    def end(self) -> None:
        self.ended = True
        if self.breaks:
            raise TimeoutError


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """One on which nothing happens."""
    made = Host()
    monkeypatch.setattr(partition, "in_network_of", made.run)
    return made


def injector_on(host: Host, direction: str) -> LinkInjector:
    """Of a delay between the two."""
    names = (host.inspect, "engine", "redis")
    return LinkInjector(*names, direction, "mark", 4, LinkSettings(delay_ns=5), host.start)


@pytest.mark.parametrize(
    ("direction", "rules"),
    [
        ("to_peer", [(22, "10.1.0.1"), (22, "10.2.0.1")]),
        ("from_peer", [(11, "10.1.0.2"), (11, "10.2.0.2")]),
        ("both", [(22, "10.1.0.1"), (22, "10.2.0.1"), (11, "10.1.0.2"), (11, "10.2.0.2")]),
    ],
)
def test_packets_are_captured_where_they_come_in(
    direction: str, rules: list[tuple[int, str]], host: Host
) -> None:
    """On every network that both are on, by a relay for each end."""
    injector = injector_on(host, direction)
    injector.inject()
    assert host.rules == [(pid, address, "NFQUEUE") for pid, address in rules]
    assert [relay.pid for relay in host.relays] == list(dict.fromkeys(pid for pid, _ in rules))
    assert {relay.queue for relay in host.relays} == {4}
    assert len({relay.line.seed for relay in host.relays}) == len(host.relays)
    injector.heal()
    assert host.rules == []
    assert all(relay.ended for relay in host.relays)


def test_half_an_injection_is_removed(host: Host) -> None:
    """The packet filter refuses after the relay was started."""
    host.refuses = True
    injector = injector_on(host, "both")
    with pytest.raises(StackError, match="no such target"):
        injector.inject()
    host.rules.append((22, "10.1.0.1", "NFQUEUE"))  # deleting what may be there does no harm
    injector.heal()
    assert host.rules == []
    assert [relay.ended for relay in host.relays] == [True]


def test_each_is_removed_whatever_becomes_of_the_others(host: Host) -> None:
    """A packet filter that is busy, a relay that does not end."""
    injector = injector_on(host, "both")
    injector.inject()
    host.slow = 1
    host.relays[0].breaks = True
    with pytest.raises(TimeoutError):
        injector.heal()
    assert host.rules == []
    assert [relay.ended for relay in host.relays] == [True, True]


def test_a_container_that_does_not_run_is_reported(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is started."""
    monkeypatch.setitem(PIDS, "redis", 0)
    with pytest.raises(StackError, match="does not run"):
        injector_on(host, "both").inject()
    assert host.relays == []
