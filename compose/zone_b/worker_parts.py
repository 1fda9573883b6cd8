"""What a worker is made of: each part by the class, or another callable, that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import redis

from zone_b.batch import Batches
from zone_b.decision_service import DecisionService
from zone_b.full import FullSimulator
from zone_b.lite import LiteSimulator
from zone_b.message import Order
from zone_b.settings import Settings
from zone_b.source import Source
from zone_b.store import Store
from zone_b.turns import Turn


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """How a worker gets its parts; the arguments are those of the classes."""

    source: Callable[[redis.Redis, str, str], Source] = Source
    store: Callable[[str, str], Store] = Store
    decision_service: Callable[
        [LiteSimulator, FullSimulator, int, Callable[[Order, int], bool]], DecisionService
    ] = DecisionService
    batches: Callable[[Source, Store, DecisionService, Turn], Batches] = Batches


def parts_of(settings: Settings) -> WorkerParts:
    """The parts as they should be, unless the settings ask for others.

    Raises:
        SettingsError: they ask for what there is not.
    """
    if settings.service:
        from zone_b.known_capacity import served  # only an engine with a known capacity loads it

        return served(settings)
    if not settings.defects:
        return WorkerParts()
    from zone_b.defects.install import defective  # an engine without defects never loads them

    return defective(settings)
