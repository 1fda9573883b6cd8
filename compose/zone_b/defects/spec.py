"""What `DEFI_DEFECTS` asks for: `lose_after_ack:rate=0.02; slow_lock:every_s=2,hold_s=0.5`.

Every defect has its trigger and all of its own settings there. `catalogue.toml` has the defaults;
who starts the services reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zone_b.settings import SettingsError

_VARIABLE = "DEFI_DEFECTS"
_WHOLE = frozenset({"seed", "every", "times", "keep"})
_WHEN = ("rate", "seed", "every", "after_s", "every_s", "for_s", "times")
# Longer than any test; also keeps sums of nanoseconds far from their end.
_VALUE_MAX = 1e9


@dataclass(frozen=True, slots=True)
class When:
    """When a defect strikes; what is None does not matter.

    Attributes:
        rate: share of the opportunities.
        seed: of the rate.
        every: each Nth opportunity of a worker.
        after_s: seconds after the first signal before which nothing happens.
        every_s: period, with one strike in each, or `for_s` of it full of strikes.
        for_s: length of the stretch at the begin of each period.
        times: so many strikes at most.
    """

    rate: float | None = None
    seed: int = 0
    every: int | None = None
    after_s: float = 0.0
    every_s: float | None = None
    for_s: float | None = None
    times: int | None = None


class _Settings(dict[str, float]):
    """Own settings of a defect; one that is missing is an error of the variable."""

    def __init__(self, name: str, values: Mapping[str, float]) -> None:
        super().__init__(values)
        self._name = name

    def __missing__(self, key: str) -> float:
        raise SettingsError(f"{_VARIABLE}: {self._name} has no {key}")


@dataclass(frozen=True, slots=True)
class Spec:
    """A defect that is switched on."""

    name: str
    when: When
    settings: Mapping[str, float]


def read_defects(text: str) -> tuple[Spec, ...]:
    """The defects that a text asks for, separated by semicolons.

    Raises:
        SettingsError: a defect without a trigger, a value that cannot be, or one defect twice.
    """
    specs = tuple(_read_one(part.strip()) for part in text.split(";") if part.strip())
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"{_VARIABLE} has {name} twice")
    return specs


def _read_one(text: str) -> Spec:
    name, _, rest = text.partition(":")
    name = name.strip()
    given = dict(_pair(name, part) for part in rest.split(",") if part.strip())
    when = {key: value for key, value in given.items() if key in _WHEN}
    if not set(when) - {"seed"}:
        raise SettingsError(f"{_VARIABLE}: {name} needs a trigger, such as {name}:rate=0.01")
    own = {key: value for key, value in given.items() if key not in _WHEN}
    return Spec(name, _when(name, when), _Settings(name, own))


def _pair(name: str, text: str) -> tuple[str, float]:
    key, _, number = (part.strip() for part in text.partition("="))
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 <= value <= _VALUE_MAX or (key in _WHOLE and value != int(value)):
        kind_of_number = "whole number" if key in _WHOLE else "number"
        raise SettingsError(f"{_VARIABLE}: {name}: {key} must be a {kind_of_number} of at least 0")
    return key, value


def _when(name: str, values: Mapping[str, float]) -> When:
    if values.get("rate", 0) > 1:
        raise SettingsError(f"{_VARIABLE}: {name}: rate is a share, at most 1")
    for key in ("every", "every_s", "times"):
        if values.get(key) == 0:
            raise SettingsError(f"{_VARIABLE}: {name}: {key} must be above 0")
    for_s, every_s = values.get("for_s"), values.get("every_s")
    if for_s is not None and (every_s is None or for_s > every_s):
        raise SettingsError(f"{_VARIABLE}: {name}: for_s is a part of every_s")
    whole = {key: int(values[key]) for key in ("every", "times") if key in values}
    return When(
        rate=values.get("rate"),
        seed=int(values.get("seed", 0)),
        every=whole.get("every"),
        after_s=values.get("after_s", 0.0),
        every_s=every_s,
        for_s=for_s,
        times=whole.get("times"),
    )
