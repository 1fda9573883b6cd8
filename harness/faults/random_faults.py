"""Faults drawn at random, and the same again for the same seed."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

from harness.faults.support import AGENT_FAULT_KINDS, AGENT_PREFIX, CLOCK_TARGETS, FaultSupport
from harness.scenario.link_faults import LINK_KINDS
from harness.scenario.service_faults import DISK_KINDS

# A fault begins early enough that what follows it is still seen under load.
_FIRST_SHARE, _LAST_SHARE = 0.2, 0.5
_LENGTH_S = (0.5, 4.0)
# What is done to a link is seen by a longer look.
_LINK_LENGTH_S = (2.0, 4.0)
_STEP_S = (5.0, 3_600.0)
_WITHIN = DISK_KINDS | {"cpu_hog", "fork_storm", "clock_step"}
_LASTING = LINK_KINDS | AGENT_FAULT_KINDS | _WITHIN | {"pause", "rpc_stall"}
# What not every host can have is drawn only where it is named.
_BY_NAME_ONLY = DISK_KINDS | {"clock_step"}
# One server each; a drawn target would be refused.
_ONLY = {
    "aof_rewrite": ("redis",),
    "checkpoint": ("postgres",),
    "snapshot": ("postgres",),
    "rpc_stall": ("anvil",),
}
# What takes longer than a round has, or needs a scenario made for it: a length that follows from
# its blocks, several nodes.
_NEVER_DRAWN = frozenset({"backup", "feed_stall", "rpc_stale"})
# Links that a signal's way crosses.
_PEERS = ("redis", "postgres")
_DIRECTIONS = ("both", "to_peer", "from_peer")


def candidates(possible: FaultSupport, *, needs_anvil: bool) -> tuple[tuple[str, str], ...]:
    """Kinds and targets to draw from, in order.

    Args:
        possible: what the stack can have.
        needs_anvil: whether an Anvil node runs with the scenario.
    """
    # A container goes by two names where the scenario's differs from the Compose file's.
    services = possible.services - {"go-execution-engine" if "engine" in possible.services else ""}
    found = []
    for kind in sorted(possible.kinds - _NEVER_DRAWN):
        targets = _ONLY.get(kind, tuple(sorted(services - {"anvil"})))
        if kind in LINK_KINDS:  # of the engine, which talks to both servers
            targets = tuple(name for name in targets if "engine" in name)
        if kind in AGENT_FAULT_KINDS:
            targets = tuple(name for name in targets if name.startswith(AGENT_PREFIX))
        if kind == "clock_step":
            targets = tuple(name for name in targets if name in CLOCK_TARGETS)
        if kind in DISK_KINDS:
            targets = tuple(name for name in targets if name in possible.disks)
        found += [
            (kind, target)
            for target in targets
            if target in services and (target != "anvil" or needs_anvil)
        ]
    return tuple(found)


def chosen_kinds(
    choices: tuple[tuple[str, str], ...], kinds: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """What is left of the choices when somebody names kinds, or names none.

    Args:
        choices: kinds and targets.
        kinds: those that are named.
    """
    return tuple(
        (kind, target)
        for kind, target in choices
        if (kind in kinds if kinds else kind not in _BY_NAME_ONLY)
    )


def draw_fault(
    seed: int, number: int, measured_s: float, choices: tuple[tuple[str, str], ...]
) -> dict[str, Any]:
    """The fault of a round, as a table of a scenario; a pure function of its arguments.

    Kinds are as likely as each other, whatever the number of their targets.

    Args:
        seed: of all rounds.
        number: of this round.
        measured_s: length of its measured load.
        choices: at least one kind and target.
    """
    chance = random.Random(f"{seed}/round/{number}")  # noqa: S311 - to be repeatable, not secret
    kind = chance.choice(sorted({kind for kind, _ in choices}))
    target = chance.choice([target for own, target in choices if own == kind])
    at_s = measured_s * chance.uniform(_FIRST_SHARE, _LAST_SHARE)
    fault: dict[str, Any] = {"kind": kind, "target": target, "at_s": [round(at_s, 3)]}
    if kind in _LASTING:
        shortest_s, longest_s = _LINK_LENGTH_S if kind in LINK_KINDS else _LENGTH_S
        room_s = measured_s * (1 - _LAST_SHARE) / 2
        for_s = chance.uniform(min(shortest_s, room_s), min(longest_s, room_s))
        fault["for_s"] = round(max(for_s, shortest_s) if kind in LINK_KINDS else for_s, 3)
    if kind in LINK_KINDS:
        fault["peer"] = chance.choice(_PEERS)
        fault["direction"] = chance.choice(_DIRECTIONS)
    return fault | _force(kind, chance)


def _force(kind: str, chance: random.Random) -> dict[str, Any]:
    """How much of it, of kinds that have a measure: as much as a bad network does."""
    match kind:
        case "delay":
            delay_ms = round(chance.uniform(5, 50), 1)
            return {"delay_ms": delay_ms, "jitter_ms": round(chance.uniform(0, delay_ms / 2), 1)}
        case "loss":
            return {"loss_share": round(chance.uniform(0.05, 0.25), 3)}
        case "clock_step":
            return {"step_s": round(chance.choice((-1, 1)) * chance.uniform(*_STEP_S), 1)}
        case "bandwidth":
            return {"kbit_s": chance.randint(500, 4_000)}
    return {}
