"""What a worker is made of: each part by the class, or another callable, that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import redis

from zone_b.batch import Batches
from zone_b.desk import Desk
from zone_b.full import FullSimulator
from zone_b.lite import LiteSimulator
from zone_b.message import Order
from zone_b.settings import Settings
from zone_b.source import Source
from zone_b.store import Store
from zone_b.turns import Turn


@dataclass(frozen=True, slots=True)
class Kit:
    """How a worker gets its parts; the arguments are those of the classes."""

    source: Callable[[redis.Redis, str, str], Source] = Source
    store: Callable[[str, str], Store] = Store
    desk: Callable[[LiteSimulator, FullSimulator, int, Callable[[Order, int], bool]], Desk] = Desk
    batches: Callable[[Source, Store, Desk, Turn], Batches] = Batches


def kit_of(settings: Settings) -> Kit:
    """The parts as they should be, unless the settings ask for others.

    Raises:
        SettingsError: they ask for what there is not.
    """
    if not settings.defects:
        return Kit()
    from zone_b.defects.install import defective  # an engine without defects never loads them

    return defective(settings)
