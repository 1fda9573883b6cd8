"""Named defects of the reference services: which there are, and whether a wish can be met.

They are listed in a file next to the services. Only the harness reads it: the services receive
every setting of a defect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError, nearest
from harness.scenario.file import read_toml

# Settings that every defect has: when it strikes.
WHEN = ("rate", "seed", "every", "after_s", "every_s", "for_s", "times")
HINT = "`harness defects` lists what there is; write NAME or NAME:rate=0.01,after_s=5"
_ENGINE = "engine"
_FILE = Path("compose/zone_b/defects/catalogue.toml")


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect that can be switched on.

    Attributes:
        about: what it does, completing "the engine ...", or whose defect it is.
        when: when it occurs by default.
        settings: its own settings and their defaults.
        of: the service that has it.
    """

    name: str
    about: str
    when: Mapping[str, float]
    settings: Mapping[str, float]
    of: str


def read_catalogue(root: Path) -> dict[str, Defect]:
    """Every defect by its name, in the order of the file.

    Raises:
        UsageError: the reference services are not here.
    """
    return {name: _defect(name, entry) for name, entry in read_toml(root / _FILE).items()}


def check_defects(wishes: Iterable[str], root: Path) -> None:
    """Make sure that defects and settings exist; the engine checks their values.

    Raises:
        UsageError: one does not, or a value is no number.
    """
    known = read_catalogue(root)
    for wish in wishes:
        name, rest = _name(wish), wish.partition(":")[2]
        defect = known.get(name)
        if defect is None or ";" in wish:
            near = nearest(name, known)
            hint = f"did you mean {near}? {HINT}" if near else HINT
            raise UsageError(f"there is no defect {name!r}", where="engine.defects", hint=hint)
        for pair in filter(None, rest.split(",")):
            _check_pair(defect, pair)


def defects_of(service: str, wishes: Sequence[str], root: Path) -> tuple[str, ...]:
    """Those of the wishes that concern a service, with their defaults; all of them exist."""
    if not wishes:  # then the list need not even be there
        return ()
    known = read_catalogue(root)
    return tuple(
        _complete(known[_name(wish)], wish) for wish in wishes if known[_name(wish)].of == service
    )


def _complete(defect: Defect, wish: str) -> str:
    """A wish with every setting. The default trigger holds unless another one is given."""
    pairs = (pair.partition("=") for pair in filter(None, wish.partition(":")[2].split(",")))
    given = {key.strip(): value.strip() for key, _, value in pairs}
    triggers = set(WHEN) - {"seed"}
    default = defect.settings if triggers & set(given) else {**defect.when, **defect.settings}
    values = {**{key: str(value) for key, value in default.items()}, **given}
    return f"{defect.name}:{','.join(f'{key}={value}' for key, value in values.items())}"


def _name(wish: str) -> str:
    return wish.partition(":")[0].strip()


def _check_pair(defect: Defect, pair: str) -> None:
    key, _, value = (part.strip() for part in pair.partition("="))
    settings = (*WHEN, *defect.settings)
    where = f"engine.defects: {defect.name}"
    if key not in settings:
        raise UsageError(f"no setting {key!r}", where=where, hint=f"it has {', '.join(settings)}")
    try:
        float(value)
    except ValueError:
        raise UsageError(f"{key}={value} is not a number", where=where, hint=HINT) from None


def _defect(name: str, entry: Mapping[str, Any]) -> Defect:
    settings, of = entry.get("settings", {}), entry.get("of", _ENGINE)
    return Defect(name, entry["about"], entry["when"], settings, of)
