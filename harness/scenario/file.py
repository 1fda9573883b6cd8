"""Reading a scenario file, with overrides from the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import UsageError
from harness.scenario.models import Scenario


def load_scenario(
    path: Path,
    overrides: Sequence[str] = (),
    edit: Callable[[dict[str, Any]], None] | None = None,
) -> Scenario:
    """Read a scenario, apply `key=value` overrides (`load.stages.0.agents=10`), then `edit`.

    Raises:
        UsageError: the file is missing or not TOML, or names every wrong entry at once.
    """
    document = read_toml(path)
    for override in overrides:
        _apply(document, override)
    if edit is not None:
        edit(document)
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        raise UsageError(
            problems(error, "scenario"), where=str(path), hint="docs/scenarios.md lists every key"
        ) from error


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        UsageError: missing, unreadable, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            "no such file", where=str(path), hint="`harness scenarios` lists what there is"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"not TOML: {error}", where=str(path), hint="see https://toml.io for the syntax"
        ) from error


def _apply(document: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise UsageError(f"{override!r} is not key=value", where="--set")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    node: Any = document
    *parents, last = key.strip().split(".")
    for part in parents:
        node = _step(node, part, key)
    if isinstance(node, list):
        node[_index(node, last, key)] = value
    else:
        node[last] = value


def _step(node: Any, part: str, key: str) -> Any:
    child = node[_index(node, part, key)] if isinstance(node, list) else node.setdefault(part, {})
    if not isinstance(child, (dict, list)):
        raise UsageError(f"{part!r} is a value, not a table", where=f"--set {key}")
    return child


def _index(node: list[Any], part: str, key: str) -> int:
    if part.isdigit() and int(part) < len(node):
        return int(part)
    raise UsageError(f"{part!r} is not one of 0..{len(node) - 1}", where=f"--set {key}")


def problems(error: ValidationError, whole: str, hidden: Collection[str] = ()) -> str:
    """Every problem with its place, a line each.

    Args:
        error: what the model says.
        whole: what a problem of no single key is a problem of.
        hidden: keys whose values are not repeated, since a secret may stand in them.
    """
    found = [dict(problem) for problem in error.errors(include_url=False)]
    places = {problem["loc"] for problem in found}
    lines = [_line(problem, whole, hidden) for problem in found if not _is_echo(problem, places)]
    count = f"{len(lines)} problem{'s' if len(lines) > 1 else ''}"
    return "\n  - ".join([count, *lines])


def _line(problem: Mapping[str, Any], whole: str, hidden: Collection[str]) -> str:
    place = ".".join(str(part) for part in problem["loc"]) or whole
    if problem["type"] == "extra_forbidden":
        return f"{place}: unknown key"
    message = str(problem["msg"]).removeprefix("Value error, ")
    given = problem.get("input")
    is_hidden = bool(problem["loc"]) and bool({problem["loc"][0], problem["loc"][-1]} & {*hidden})
    shown = "" if is_hidden or isinstance(given, (dict, list, tuple)) else f" (given: {given!r})"
    return f"{place}: {message}{shown}"


def _is_echo(problem: Mapping[str, Any], places: set[Any]) -> bool:
    """Whether a list is called too short only because its entries were refused already."""
    place = problem["loc"]
    return problem["type"] == "too_short" and any(
        len(other) > len(place) and other[: len(place)] == place for other in places
    )
