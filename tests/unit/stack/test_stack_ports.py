"""Ports of loopback, and the race for them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from harness.clock import ManualClock
from harness.errors import StackError, UsageError
from harness.stack.ports import below_ephemeral, claim, free_port, holder, is_free
from harness.stack.process import stack
from harness.stack.process.stack import ProcessStack
from harness.stack.settings import StackSettings


@pytest.fixture
def used() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


def test_used_and_free(used: int) -> None:
    """A port with a listener is not free, and it is known whose it is."""
    assert not is_free(used)
    assert holder(used).endswith(f"(pid {os.getpid()})")
    port = free_port()
    assert is_free(port)
    assert holder(port) == ""


def test_free_ports_are_not_lent_out_by_the_kernel() -> None:
    """A server must get its port back when it restarts, so it is no ephemeral one."""
    first, last = below_ephemeral()[0], below_ephemeral()[-1]
    assert 1024 < first <= free_port() <= last


def test_reserved_ports_are_not_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is claimed but not used yet is passed over."""
    # No run of this host reserves it: it is an ephemeral one.
    monkeypatch.setattr("harness.stack.ports.below_ephemeral", lambda: range(60_999, 61_000))
    monkeypatch.setattr("harness.stack.ports.is_free", Mock(return_value=True))
    assert free_port() == 60_999
    with pytest.raises(StackError, match="no free port found in 200 tries"):
        free_port(frozenset({60_999}))


def test_a_port_that_only_root_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not in use, and such a message would send a person searching for no program."""

    class Refused(socket.socket):
        def bind(self, _address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Refused)
    with pytest.raises(UsageError, match=r"(?s)redis on 127.*may not listen on port 80\b.*1024"):
        claim(80, "redis")


def test_configured_port(used: int) -> None:
    """A configured port is used or refused, never replaced."""
    port = free_port()
    assert claim(port, "redis") == port
    with pytest.raises(UsageError, match=f"redis on 127.0.0.1: port {used} is already in use by"):
        claim(used, "redis")
    with pytest.raises(UsageError, match=f"port {port} is already in use"):
        claim(port, "postgres", claimed=frozenset({port}))


class _Race:
    """Supervision in which servers fail on a port that another program uses."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.dropped: list[str] = []

    def start(self, port: int) -> None:
        self.started.append(port)

    def await_ready(self, name: str, timeout_ns: int) -> None:
        if not is_free(self.started[-1]):
            raise StackError("ended with 1 before it was ready", where=name)

    def drop(self, name: str) -> None:
        self.dropped.append(name)


@pytest.mark.parametrize(
    ("offers", "tries"), [("used free", 2), ("used used free", 3), ("used used used free", 0)]
)
def test_race_for_a_free_port(
    used: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offers: str, tries: int
) -> None:
    """Whoever is beaten to a free port takes another one, three times at most."""
    free = free_port()
    ports = iter({"used": used, "free": free}[offer] for offer in offers.split())
    monkeypatch.setattr(stack, "free_port", lambda *_: next(ports))
    race = _Race()
    built = ProcessStack(StackSettings(), tmp_path / "private", tmp_path / "logs", ManualClock())
    monkeypatch.setattr(built, "_supervisor", race)
    if tries:
        built._on_a_port("redis", lambda port: port)  # type: ignore[arg-type,return-value]  # a fake's currency
        assert race.started == [used] * (tries - 1) + [free]
    else:
        with pytest.raises(StackError, match="ended with 1"):
            built._on_a_port("redis", lambda port: port)  # type: ignore[arg-type,return-value]  # a fake's currency
        assert len(race.started) == 3


def test_no_second_try_when_nobody_was_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that fails for another reason is not started again on another port."""
    race = _Race()
    monkeypatch.setattr(race, "await_ready", Mock(side_effect=StackError("broken", where="redis")))
    built = ProcessStack(StackSettings(), tmp_path / "private", tmp_path / "logs", ManualClock())
    monkeypatch.setattr(built, "_supervisor", race)
    with pytest.raises(StackError, match="broken"):
        built._on_a_port("redis", lambda port: port)  # type: ignore[arg-type,return-value]  # a fake's currency
    assert len(race.started) == 1
