"""Reading a scenario file, with overrides from the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.durations import duration_hint, unit_of, with_numbers
from harness.errors import EvidenceError, UsageError
from harness.safe_open import CONFIG_BYTES_MAX, read_regular
from harness.scenario.key_places import key_hint
from harness.scenario.models import Scenario
from harness.scenario.shape import stages_of

_HINT_SET = "write KEY=VALUE as in load.stages.0.agents=10; docs/scenarios.md lists every key"
_SHOWN_MAX = 60
# Types of pydantic's errors where a number is wanted.
_NO_NUMBER = frozenset({"float_type", "int_type", "float_parsing", "int_parsing"})
# The only table of an experiment's file; see `harness.scenario.experiment`.
EXPERIMENT = "experiment"
# A table of a policy's file; see `harness.scenario.policy`.
POLICY = "policy"


def load_scenario(
    path: Path,
    overrides: Sequence[str] = (),
    edit: Callable[[dict[str, Any]], None] | None = None,
    *,
    by_user: bool = True,
) -> Scenario:
    """Read a scenario, apply `key=value` overrides (`load.stages.0.agents=10`), then `edit`.

    Unless the user named the file (`by_user`), it is evidence, where no link is followed.

    Raises:
        UsageError: the file is missing or not TOML, or has wrong entries, which are all named.
    """
    document = read_toml(path, by_user=by_user)
    if POLICY in document:
        raise UsageError(
            "is a policy of a sign-off, not a scenario",
            where=str(path),
            hint=f"use it with `harness signoff {path}`",
        )
    if EXPERIMENT in document:
        raise UsageError(
            "is an experiment of several runs, not a scenario",
            where=str(path),
            hint=f"run it with `harness scale {path}`",
        )
    for override in overrides:
        _apply(document, override)
    _expand_shape(document, path)
    if edit is not None:
        edit(document)
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        raise _wrong_entries(format_problems(error, "scenario", model=Scenario), path) from error


def _expand_shape(document: dict[str, Any], path: Path) -> None:
    """Replace `[load.shape]` by its stages.

    Raises:
        UsageError: it has wrong entries, or the load has stages too.
    """
    load = document.get("load")
    if not isinstance(load, dict) or "shape" not in load:
        return
    shape = load.pop("shape")
    if "stages" in load:
        what = "load: write either [load.shape] or [[load.stages]], not both"
        raise _wrong_entries(what, path)
    try:
        load["stages"] = stages_of(shape, path.parent)
    except ValidationError as error:
        # Places begin with the kind of the shape, which is no key.
        problems = format_problems(
            error, "load.shape", under=("load", "shape"), skipped=1, model=Scenario
        )
        raise _wrong_entries(problems, path) from error
    except ValueError as error:
        raise _wrong_entries(f"load.shape: {error}", path) from error


def _wrong_entries(problems: str, path: Path) -> UsageError:
    return UsageError(problems, where=str(path), hint="docs/scenarios.md lists every key")


def read_toml(path: Path, *, by_user: bool = True) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        UsageError: missing, unreadable, not a regular file, too large, or not TOML.
    """
    return parse_toml(read_config_text(path, by_user=by_user), str(path))


def read_config_text(path: Path, *, by_user: bool = True) -> str:
    """The text of a file that a person writes.

    Raises:
        UsageError: missing, unreadable, not a regular file, too large, or not UTF-8.
    """
    try:
        return read_regular(path, CONFIG_BYTES_MAX, by_user=by_user).decode("utf-8")
    except FileNotFoundError as error:
        raise UsageError(
            "no such file", where=str(path), hint="`harness scenarios` lists the scenarios"
        ) from error
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError:
        raise UsageError("is not UTF-8", where=str(path), hint="TOML requires UTF-8") from None
    except EvidenceError as error:
        raise UsageError(error.what, where=error.where, hint=error.hint) from error


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Args:
        text: of the file.
        where: its name, for errors.

    Raises:
        UsageError: it is not TOML.
    """
    try:
        found: dict[str, Any] = with_numbers("", tomllib.loads(text.replace("\r\n", "\n")))
        return found
    except (ValueError, RecursionError) as error:
        # Of ValueError: no TOML, or an integer longer than Python reads.
        raise UsageError(
            f"not TOML: {error}", where=where, hint="see https://toml.io for the syntax"
        ) from error


def scenario_file(name: str, where: str, folder: Path, shipped: Path) -> Path:
    """A scenario that another file names: in the folder of that file, or one that is shipped.

    Args:
        name: relative path.
        where: key that has the name, for errors.
        folder: of the file that names it.
        shipped: folder that has `scenarios`.

    Raises:
        UsageError: there is none, or its path leaves the folder, also by a link.
    """
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise UsageError(
            f"{name!r} leaves the folder of the file that names it",
            where=where,
            hint="name a file in it, or a shipped scenario as in scenarios/smoke.toml",
        )
    for root in (folder, shipped):
        found = root / path
        parts = [root.joinpath(*path.parts[:size]) for size in range(1, len(path.parts) + 1)]
        if link := next((part for part in parts if part.is_symlink()), None):
            raise UsageError("is a link, which is not followed", where=str(link))
        if found.is_file():
            return found
    raise UsageError(
        f"there is no scenario {name!r}",
        where=where,
        hint="`harness scenarios` lists the shipped ones; write scenarios/NAME.toml",
    )


def _apply(document: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise UsageError(f"{override!r} is not key=value", where="--set", hint=_HINT_SET)
    node: Any = document
    *parents, last = key.strip().split(".")
    for part in parents:
        node = _step(node, part, key)
    value = with_numbers(last, parse_value(text, f"--set {key}"))
    if isinstance(node, list):
        node[_index(node, last, key)] = value
    else:
        node[last] = value


def parse_value(text: str, where: str) -> Any:
    """A TOML value, or else the text itself, so that strings need no quotes.

    Raises:
        UsageError: more than one value, or one that is nested too deeply.
    """
    try:
        found = tomllib.loads(f"value = {text}")
    except ValueError:
        return text
    except RecursionError:
        raise UsageError("nested too deeply", where=where, hint=_HINT_SET) from None
    if found.keys() != {"value"}:
        raise UsageError("more than one value", where=where, hint=_HINT_SET)
    return found["value"]


def _step(node: Any, part: str, key: str) -> Any:
    child = node[_index(node, part, key)] if isinstance(node, list) else node.setdefault(part, {})
    if not isinstance(child, (dict, list)):
        raise UsageError(f"{part!r} is a value, not a table", where=f"--set {key}", hint=_HINT_SET)
    return child


def _index(node: list[Any], part: str, key: str) -> int:
    # As text: a number may have more digits than Python reads, or be written in another script.
    for number in range(len(node)):
        if part == str(number):
            return number
    there = f"one of 0..{len(node) - 1}" if node else "there: the list is empty"
    raise UsageError(f"{part!r} is not {there}", where=f"--set {key}", hint=_HINT_SET)


def format_problems(
    error: ValidationError,
    whole: str,
    hidden: Collection[str] = (),
    *,
    model: type[BaseModel] | None = None,
    under: tuple[str, ...] = (),
    skipped: int = 0,
) -> str:
    """Every problem with its key, a line each.

    Args:
        error: of the model.
        whole: name of the document, for a problem of no single key.
        hidden: keys whose values are not shown, because they may hold secrets.
        model: of the whole document; unknown keys are then held against those that it has.
        under: keys of the table that the model is of.
        skipped: first parts of each place that are no keys.
    """
    found = [
        {**problem, "loc": (*under, *problem["loc"][skipped:])}
        for problem in error.errors(include_url=False)
    ]
    places = {problem["loc"] for problem in found}
    lines = [
        _line(problem, whole, hidden, model)
        for problem in found
        if not _is_implied(problem, places)
    ]
    count = f"{len(lines)} problem{'s' if len(lines) > 1 else ''}"
    return "\n  - ".join([count, *lines])


def _line(
    problem: Mapping[str, Any],
    whole: str,
    hidden: Collection[str],
    model: type[BaseModel] | None,
) -> str:
    place = ".".join(str(part) for part in problem["loc"]) or whole
    if problem["type"] == "extra_forbidden":
        hint = key_hint(model, problem["loc"]) if model and problem["loc"] else ""
        return f"{place}: unknown key; {hint}" if hint else f"{place}: unknown key"
    message = _message(problem)
    given = problem.get("input")
    is_hidden = bool(problem["loc"]) and bool({problem["loc"][0], problem["loc"][-1]} & {*hidden})
    if is_hidden or isinstance(given, (dict, list, tuple)):
        return f"{place}: {message}"
    return f"{place}: {message} (given: {_shown(given)})"


def _message(problem: Mapping[str, Any]) -> str:
    """The message in terms of TOML, not of the Python model."""
    context = problem.get("ctx", {})
    match problem["type"]:
        case "union_tag_not_found":
            return f"{_key_of(context)} is missing; docs/scenarios.md lists them"
        case "union_tag_invalid":
            key, tags = _key_of(context), context["expected_tags"]
            return f"there is no {key} {str(context['tag'])[:_SHOWN_MAX]!r}, but {tags}"
        case "tuple_type":
            place = ".".join(map(str, problem["loc"]))
            is_table = isinstance(problem.get("input"), dict)
            return f"has to be a list; write [[{place}]]" if is_table else "has to be a list"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "has to be a table"
    if problem["type"] in _NO_NUMBER and isinstance(problem.get("input"), str):
        names = [one for one in problem["loc"] if isinstance(one, str)]
        if names and unit_of(names[-1]):
            return f"is no duration; {duration_hint(unit_of(names[-1]))}"
        return "has to be a number, without quotes"
    return str(problem["msg"]).removeprefix("Value error, ")


def _key_of(context: Mapping[str, Any]) -> str:
    return str(context["discriminator"]).strip("'")


def _shown(given: object) -> str:
    try:
        text = repr(given)
    except ValueError:  # an integer longer than Python writes
        return "a very long number"
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def _is_implied(problem: Mapping[str, Any], places: set[Any]) -> bool:
    """Whether a list is too short only because its entries are invalid."""
    place = problem["loc"]
    return problem["type"] == "too_short" and any(
        len(other) > len(place) and other[: len(place)] == place for other in places
    )
