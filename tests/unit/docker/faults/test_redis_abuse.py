"""Floods and leaks: what their probes accept as in force and as over, and what is removed."""

from __future__ import annotations

from typing import Any, Self

import pytest
import redis

from harness.contract.names import Contract
from harness.errors import StackError
from harness.faults import health_checks
from harness.faults.docker import container_program, redis_abuse
from harness.faults.kinds.group_leak import GroupLeak, LeakInjector, LeakProbe
from harness.faults.kinds.redis_flood import FloodInjector, FloodProbe, RedisFlood

AGENT = "python-agent-1"
FLOOD = RedisFlood(kind="redis_flood", target=AGENT, at_s=(0,), for_s=4)
LEAK = GroupLeak(kind="group_leak", target=AGENT, groups_per_s=20, at_s=(0,), for_s=4)
ADDRESS = "172.20.0.7"
URL = "redis://:hush@127.0.0.1:1/0"


class Server:
    """A Redis and an agent's container, as far as a probe asks; waiting makes time go by."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s, self.served, self.per_s = 1_000.0, 0.0, 100.0
        self.groups = ["cg:engine", "cg:agent:abc"]
        self.groups_per_s = 0
        self.keys: set[str] = set()
        self.lines = [f"{ADDRESS}:40000", "172.20.0.2:41000"]
        self.programs: tuple[int, ...] = ()
        self.revived = 0
        self.away = False
        self.commands: list[list[str]] = []
        patch.setattr(health_checks, "redis_client", lambda *_: self)
        patch.setattr(redis_abuse, "check_redis", lambda _: "" if self.away else "it answers PING")
        patch.setattr(redis_abuse, "marked", lambda *_: self.programs)
        patch.setattr(container_program, "marked", lambda *_: ())

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.served += self.per_s * seconds
        first = len(self.groups)
        for number in range(first, first + round(self.groups_per_s * seconds)):
            self.groups.append(f"{redis_abuse.leaked_groups(AGENT)}{number}")

    def __enter__(self) -> Self:
        if self.away:
            raise redis.ConnectionError("refused")
        return self

    def __exit__(self, *_: object) -> None: ...

    def exists(self, key: str) -> int:
        return int(key in self.keys or key == redis_abuse.events_key())

    def unlink(self, key: str) -> int:
        was = key in self.keys
        self.keys.discard(key)
        if self.revived:
            self.revived -= 1
            self.keys.add(key)
        return int(was)

    def client_list(self) -> list[dict[str, str]]:
        return [{"addr": line} for line in self.lines]

    def time(self) -> tuple[int, int]:
        return int(self.now_s), round(self.now_s % 1 * 1e6)

    def info(self, _: str) -> dict[str, Any]:
        return {"total_commands_processed": int(self.served)}

    def xinfo_groups(self, _: str) -> list[dict[str, Any]]:
        return [{"name": name.encode()} for name in self.groups]

    def pipeline(self, *, transaction: bool) -> Server:
        return self

    def xgroup_destroy(self, _: str, name: str) -> None:
        self.groups.remove(name)

    def execute(self) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """At rest: one connection of the agent's, two groups."""
    return Server(monkeypatch)


def flood_probe(server: Server, fault: RedisFlood = FLOOD) -> FloodProbe:
    """A probe of the flood."""
    return FloodProbe(lambda: frozenset({ADDRESS}), lambda: 5, URL, fault, server.wait)


@pytest.mark.parametrize(
    ("asked", "per_s", "is_seen"),
    [(0, 900.0, False), (0, 20_000.0, True), (4_000, 800.0, False), (4_000, 1_300.0, True)],
)
def test_a_flood_is_many_commands_from_the_agent(
    asked: int, per_s: float, is_seen: bool, server: Server
) -> None:
    """More than before by a quarter of what was asked for; of one without a rate by a thousand."""
    probe = flood_probe(server, FLOOD.model_copy(update={"commands_per_s": asked}))
    probe.before()
    assert probe.holds() == ""
    server.per_s = per_s
    assert probe.holds() == "", "no connection of the agent's: it is another client's load"
    server.lines += [f"{ADDRESS}:40001", f"{ADDRESS}:40002"]
    assert bool(probe.holds()) is is_seen


def test_a_server_that_is_busy_anyhow_proves_no_flood(server: Server) -> None:
    """A second connection that sends little is none."""
    server.per_s = 30_000.0
    probe = flood_probe(server)
    probe.before()
    server.lines.append(f"{ADDRESS}:40001")
    server.per_s = 31_500.0
    assert probe.holds() == ""


def test_a_flood_is_over_when_nothing_of_it_is_left(server: Server) -> None:
    """Neither key nor program, and Redis answers; the agent itself may have connected since."""
    probe = flood_probe(server)
    probe.before()
    key = redis_abuse.flood_key(AGENT)
    server.lines.append(f"{ADDRESS}:40001")
    server.keys.add(key)
    assert probe.ended() == ""
    server.keys.clear()
    server.programs = (77,)
    assert probe.ended() == ""
    server.programs = ()
    assert "it answers PING" in probe.ended()
    server.away = True
    assert probe.ended() == probe.holds() == ""


def test_a_key_that_is_there_before_is_nobodys_flood(server: Server) -> None:
    """What it proved, and what it took away, would be unknown."""
    server.keys.add(redis_abuse.flood_key(AGENT))
    with pytest.raises(StackError, match="flood already"):
        flood_probe(server).before()


def test_healing_takes_the_key_away_for_good(server: Server) -> None:
    """Commands under way write it once more."""
    server.keys.add(redis_abuse.flood_key(AGENT))
    server.revived = 2
    FloodInjector(server.commands.append, lambda: 0, URL, FLOOD, server.wait).heal()
    assert server.keys == set()


def test_what_cannot_be_tidied_up_is_reported(server: Server) -> None:
    """Somebody goes on writing."""
    server.revived = 1_000
    server.keys.add(redis_abuse.flood_key(AGENT))
    with pytest.raises(StackError, match="again and again"):
        FloodInjector(server.commands.append, lambda: 0, URL, FLOOD, server.wait).heal()


def test_a_leak_is_groups_that_become_more(server: Server) -> None:
    """A group that came since is none; ever more of them are."""
    probe = LeakProbe(lambda: 5, URL, LEAK, server.wait)
    probe.before()
    assert probe.holds() == ""
    server.groups.append("cg:agent:def")
    assert probe.holds() == ""
    server.groups_per_s = 20
    assert "10 groups and ever more, 2 before" in probe.holds()
    server.groups_per_s = 0
    assert probe.holds() == "", "it has stopped, though its groups are there"


def test_healing_destroys_what_was_leaked_and_nothing_else(server: Server) -> None:
    """By the beginning of the name."""
    probe = LeakProbe(lambda: 5, URL, LEAK, server.wait)
    probe.before()
    server.groups_per_s = 20
    server.wait(3.0)
    assert probe.ended() == ""
    server.groups_per_s = 0
    LeakInjector(server.commands.append, lambda: 0, URL, LEAK, server.wait).heal()
    assert server.groups == ["cg:engine", "cg:agent:abc"]
    assert probe.ended() == "the stream of chain events has 2 groups; it answers PING"


def test_a_server_that_does_not_answer_is_reported_before(server: Server) -> None:
    """Then nothing could be proven."""
    server.away = True
    with pytest.raises(StackError, match="does not answer"):
        flood_probe(server).before()
    with pytest.raises(StackError, match="does not answer"):
        LeakProbe(lambda: 5, URL, LEAK, server.wait).before()


def test_only_its_own_are_removed() -> None:
    """No key, no group of the contract is called so; one agent's are no other's."""
    contract = Contract()
    streams = contract.streams.model_dump()
    names = {str(name) for name in streams.values()} | {contract.agent_group(0), "cg:agent:"}
    for agent in (AGENT, "python-agent-11"):
        assert redis_abuse.flood_key(agent) not in {contract.key(name) for name in names}
        assert not [name for name in names if name.startswith(redis_abuse.leaked_groups(agent))]
    assert not redis_abuse.leaked_groups("python-agent-11").startswith(
        redis_abuse.leaked_groups(AGENT)
    )


def test_programs_bear_their_mark_and_no_password(server: Server) -> None:
    """They are found by the mark, end by themselves, and know Redis from their environment."""
    FloodInjector(server.commands.append, lambda: 5, URL, FLOOD).inject()
    LeakInjector(server.commands.append, lambda: 5, URL, LEAK).inject()
    flood, leak = server.commands
    for command in server.commands:
        assert command[:2] == ["python3", "-c"]
        assert command[3] == container_program.MARK
        assert not [argument for argument in command if "hush" in argument]
        compile(command[2], "misbehave", "exec")
    assert flood[4:] == ["flood", "34.0", "2", "0", "dev:harness:flood:python-agent-1"]
    assert leak[4:] == [
        *("leak", "34.0", "20", "dev:stream:chain:events", "cg:harness-leak:python-agent-1:")
    ]
