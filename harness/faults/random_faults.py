"""Faults drawn at random, and the same again for the same seed."""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

from harness.scenario.fault_registry import FaultSupport, fault_kinds

# A fault begins early enough that what follows it is still seen under load.
_FIRST_SHARE, _LAST_SHARE = 0.2, 0.5


def candidates(support: FaultSupport, *, needs_anvil: bool) -> tuple[tuple[str, str], ...]:
    """Kinds and targets to draw from, in order.

    Args:
        support: what the stack can have.
        needs_anvil: whether an Anvil node runs with the scenario.
    """
    # Of a service with two names, one is enough.
    services = sorted(support.services - support.aliases.keys())
    return tuple(
        (kind, target)
        for kind, model in fault_kinds().items()
        if kind in support.kinds and model.drawn != "never"
        for target in model.targets.candidates(services, support)
        if target != "anvil" or needs_anvil
    )


def chosen_kinds(
    choices: tuple[tuple[str, str], ...], kinds: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """What is left of the choices when the user names kinds, or names none.

    Args:
        choices: kinds and targets.
        kinds: those that are named.
    """
    models = fault_kinds()
    return tuple(
        (kind, target)
        for kind, target in choices
        if (kind in kinds if kinds else models[kind].drawn == "always")
    )


def draw_fault(
    seed: int, number: int, measured_s: float, choices: tuple[tuple[str, str], ...]
) -> dict[str, Any]:
    """The fault of a round, as a table of a scenario; a pure function of its arguments.

    Each kind has the same chance, however many targets it has.

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
    room_s = measured_s * (1 - _LAST_SHARE) / 2
    # Choices are stored: one of a kind that is not registered any more is refused as a scenario.
    model = fault_kinds().get(kind)
    parameters = model.draw(chance, room_s) if model else {}
    return {"kind": kind, "target": target, "at_s": [round(at_s, 3)], **parameters}
