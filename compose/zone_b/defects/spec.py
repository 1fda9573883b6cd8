"""What `DEFI_DEFECTS` asks for: `lose_after_ack:rate=0.02; slow_lock:every_s=2,hold_s=0.5`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zone_b.defects.catalogue import DefectKind, catalogue
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


@dataclass(frozen=True, slots=True)
class Spec:
    """A defect that is switched on."""

    name: str
    when: When
    settings: Mapping[str, float]


def read_defects(text: str) -> tuple[Spec, ...]:
    """The defects that a text asks for, separated by semicolons.

    Raises:
        SettingsError: an unknown defect or setting, a value that cannot be, or one defect twice.
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
    kind = catalogue().get(name)
    if kind is None:
        raise SettingsError(f"{_VARIABLE}: there is no defect {name!r}")
    given = dict(_pair(kind, part) for part in rest.split(",") if part.strip())
    when = {key: value for key, value in given.items() if key in _WHEN}
    if not set(when) - {"seed"}:
        when = {**kind.when, **when}
    own = {key: value for key, value in given.items() if key not in _WHEN}
    return Spec(name, _when(name, when), {**kind.settings, **own})


def _pair(kind: DefectKind, text: str) -> tuple[str, float]:
    key, _, number = (part.strip() for part in text.partition("="))
    known = (*_WHEN, *kind.settings)
    if key not in known:
        raise SettingsError(
            f"{_VARIABLE}: {kind.name} has no setting {key!r}, only {', '.join(known)}"
        )
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 <= value <= _VALUE_MAX or (key in _WHOLE and value != int(value)):
        kind_of_number = "whole number" if key in _WHOLE else "number"
        raise SettingsError(
            f"{_VARIABLE}: {kind.name}: {key} must be a {kind_of_number} of at least 0"
        )
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
