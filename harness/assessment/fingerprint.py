"""What has to be equal of runs so that a change between them is one of the system's speed.

A fingerprint has seven aspects, each a table of keys and values as text, so that a difference is
named by its key. Seed, name and description of a scenario are no part of it, nor is the spelling of
an objective.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict

from harness.contract.names import Contract
from harness.errors import UsageError, nearest
from harness.printable import SingleLineText
from harness.scenario import Scenario
from harness.scenario.question import canonical_objective

ASPECTS = ("question", "settings", "stack", "images", "quotas", "host", "contract")
ALL = "all"
ABSENT = "absent"
Fingerprint = Mapping[str, Mapping[str, str]]

# Tables of a scenario that say how the system is set up, not what it is asked.
_SETTINGS = ("engine", "postgres", "redis")
_NOT_ASKED = {"name", "about", "seed", "objectives", "quota", *_SETTINGS}
_HOST = ("kernel", "machine", "cpu_model", "cpus_usable")
# Limits that the kernel has in force, as `stack.json` verified them.
_LIMITS = frozenset({"CPU", "CPU shares", "memory", "swap"})
# Settings of a server that another run may have otherwise; they do not change its speed.
_OF_ONE_RUN = frozenset({"port", "listen_addresses", "unix_socket_directories", "requirepass"})
_SHOWN_MAX = 20


class Difference(BaseModel):
    """One key in which runs differ.

    Attributes:
        aspect: one of ASPECTS.
        base, new: its values on each side, each once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    aspect: SingleLineText
    key: SingleLineText
    base: tuple[SingleLineText, ...]
    new: tuple[SingleLineText, ...]


def question_of(scenario: Scenario) -> dict[str, str]:
    """What a scenario asks: load, signals, chain, faults and limits, without how it is spelled."""
    document = scenario.model_dump(mode="json", exclude=_NOT_ASKED, exclude_none=True)
    limits = [
        {
            **{key: value for key, value in limit.items() if key != "text"},
            "abort_on_fail": slo.abort_on_fail,
            "abort_delay_s": slo.abort_delay_s,
        }
        for slo in scenario.slos()
        for limit in [asdict(canonical_objective(slo.parsed, scenario.load))]
    ]
    texts = sorted(json.dumps(limit, sort_keys=True) for limit in limits)
    return flatten(document) | {f"objectives.{number}": text for number, text in enumerate(texts)}


def fingerprint_of(
    scenario: Scenario,
    contract: Contract,
    stack: Mapping[str, Any],
    environment: Mapping[str, Any],
) -> Fingerprint:
    """The fingerprint of a run.

    Args:
        scenario: as it was asked.
        contract: names of the system.
        stack: `stack.json`, as it is.
        environment: `environment.json`, as it is.
    """
    settings = scenario.model_dump(mode="json", include=set(_SETTINGS), exclude_none=True)
    return {
        "question": question_of(scenario),
        "settings": flatten(settings) | _applied(stack),
        "stack": {"kind": str(stack.get("kind") or "unknown")},
        "images": _images(stack),
        "quotas": flatten(scenario.model_dump(mode="json", include={"quota"}, exclude_none=True))
        | _limits(stack),
        "host": _host(environment),
        "contract": flatten(contract.model_dump(mode="json", exclude_none=True)),
    }


def parse_aspects(text: str) -> frozenset[str]:
    """Aspects by their names, separated by commas; all of them by `all`.

    Raises:
        UsageError: there is no such aspect.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in (*ASPECTS, ALL):
            similar = nearest(name, ASPECTS)
            raise UsageError(
                f"there is no aspect {name[:60]!r} of a run",
                where="--allow-different",
                hint=f"did you mean {similar}?" if similar else ", ".join((*ASPECTS, ALL)),
            )
    return frozenset(ASPECTS) if ALL in names else frozenset(names)


def differences(base: Sequence[Fingerprint], new: Sequence[Fingerprint]) -> tuple[Difference, ...]:
    """Every key that is not equal in all runs, in the order of the aspects."""
    found = []
    for aspect in ASPECTS:
        tables = [[one.get(aspect, {}) for one in side] for side in (base, new)]
        keys = sorted({key for side in tables for table in side for key in table})
        for key in keys:
            own, other = (_values(side, key) for side in tables)
            if len({*own, *other}) > 1:
                found.append(Difference(aspect=aspect, key=key, base=own, new=other))
    return tuple(found)


def require_equal(found: Iterable[Difference], allowed: Collection[str]) -> tuple[Difference, ...]:
    """The differences that are allowed.

    Raises:
        UsageError: there are others; each is named.
    """
    found = tuple(found)
    refused = [one for one in found if one.aspect not in allowed]
    if not refused:
        return found
    lines = [
        f"{one.aspect}: {one.key} is {' and '.join(one.base)} in BASE,"
        f" {' and '.join(one.new)} in NEW"
        for one in refused[:_SHOWN_MAX]
    ]
    if len(refused) > _SHOWN_MAX:
        lines.append(f"and {len(refused) - _SHOWN_MAX} more")
    aspects = ",".join(dict.fromkeys(one.aspect for one in refused))
    raise UsageError(
        "\n  - ".join(["the runs differ, so a change of speed would have other causes", *lines]),
        where="BASE, NEW",
        hint=f"compare runs of one kind, or add --allow-different {aspects} if that is meant",
    )


def flatten(document: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A nested document as one table; keys are joined by dots, positions of lists included."""
    found: dict[str, str] = {}
    for key, value in document.items():
        name = f"{prefix}{key}"
        if isinstance(value, list):
            value = {str(number): one for number, one in enumerate(value)}
        if isinstance(value, dict):
            found |= flatten(value, f"{name}.")
        else:
            found[name] = json.dumps(value) if isinstance(value, bool) else str(value)
    return found


def _values(tables: Sequence[Mapping[str, str]], key: str) -> tuple[str, ...]:
    return tuple(sorted({table.get(key, ABSENT) for table in tables}))


def _applied(stack: Mapping[str, Any]) -> dict[str, str]:
    """Settings in force of PostgreSQL and Redis."""
    found = {}
    for server in ("postgres", "redis"):
        for name, values in _table(_table(stack, server), "settings").items():
            if name not in _OF_ONE_RUN and isinstance(values, dict):
                found[f"{server} applied.{name}"] = str(values.get("applied"))
    return found


def _images(stack: Mapping[str, Any]) -> dict[str, str]:
    """Image ids; of servers without images, their versions and an attached system's name."""
    found = {
        str(service): str(facts.get("id"))
        for service, facts in _table(stack, "images").items()
        if isinstance(facts, dict)
    }
    if "name" in stack:
        found["system"] = str(stack["name"])
    for server in ("postgres", "redis"):
        if "version" in (facts := _table(stack, server)):
            found[f"{server} version"] = str(facts["version"])
    return found


def _limits(stack: Mapping[str, Any]) -> dict[str, str]:
    rows = _table(stack, "verification").get("rows")
    found = {
        f"live {row.get('container')} {row['setting']}": str(row.get("live"))
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and row.get("setting") in _LIMITS and row.get("when") == "start"
    }
    if "agents_limited" in stack:
        found["agents limited"] = str(stack["agents_limited"])
    return found


def _host(environment: Mapping[str, Any]) -> dict[str, str]:
    host = _table(environment, "host")
    found = {name: str(host[name]) for name in _HOST if name in host}
    if isinstance(memory := host.get("memory_bytes"), int):
        # Of two machines of one type the kernel reports a few MiB more or less.
        found["memory_gib"] = str(round(memory / (1 << 30)))
    return found


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}
