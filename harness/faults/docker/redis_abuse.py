"""Misuse of Redis by an agent: the program for it, and the removal of what it left.

The programs are those of `compose/zone_a/misbehave.py`. The interpreter gets them as a text, since
a team's image need not have the file. Their keys and groups have names that nothing else has, and
all of them are removed when the fault is healed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.data_files import DATA
from harness.errors import StackError
from harness.faults.docker.container_inspection import marked
from harness.faults.docker.container_program import MARK, OVERTIME_S, Pid
from harness.faults.health_checks import check_redis, redis_session

if TYPE_CHECKING:
    import redis

    from harness.contract.names import Contract

PROGRAM = DATA / "compose" / "zone_a" / "misbehave.py"
Wait = Callable[[float], None]

# Commands that were under way when a program ended come after the first time.
_CLEAN_ROUNDS, _ROUNDS_MAX, _ROUND_S = 2, 40, 0.05


def flood_key(target: str) -> str:
    """The key that the flood of an agent writes to, which nothing else does."""
    return _contract().key(f"harness:flood:{target}")


def leaked_groups(target: str) -> str:
    """What the names of the groups begin with that an agent leaks."""
    return f"cg:harness-leak:{target}:"


def events_key() -> str:
    """The stream of chain events; stacks of the harness go by its own names."""
    contract = _contract()
    return contract.key(contract.streams.chain_events or "")


def _contract() -> Contract:
    # With its codecs, which reading a scenario does not need.
    from harness.contract.names import Contract

    return Contract()


def program(kind: str, for_s: float, *arguments: str) -> list[str]:
    """The command that misbehaves; where Redis is and its password, it knows by environment."""
    text = PROGRAM.read_text(encoding="utf-8")
    return ["python3", "-c", text, MARK, kind, str(for_s + OVERTIME_S), *arguments]


def clean_up(url: str, sweep: Callable[[redis.Redis], int], wait: Wait) -> None:
    """Remove until nothing is found any more; `sweep` returns how much it found.

    Raises:
        StackError: Redis does not answer, or there is always more.
    """
    rounds = 0
    with redis_session(url) as client:
        for _ in range(_ROUNDS_MAX):
            rounds = 0 if sweep(client) else rounds + 1
            if rounds >= _CLEAN_ROUNDS:
                return
            wait(_ROUND_S)
    raise StackError("is written to again and again", where="redis")


def abuse_ended(pid: Pid, url: str, seen: str) -> str:
    """`seen` and the health of Redis, once no program is left in the container; else empty."""
    own = pid()
    if not own or marked(own, MARK):
        return ""
    answer = check_redis(url)
    return f"{seen}; {answer}" if answer else ""
