"""A stored run, or a search of the capacity, as a line of the history."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.assessment.capacity_folder import CapacityFolder
from harness.assessment.result import read_unverified
from harness.errors import EvidenceError
from harness.evidence.history import TEXT_MAX, HistoryLine, Metric, utc_text
from harness.evidence.run_folder import RunFolder
from harness.judge.check import Check, CheckKind, Figure
from harness.judge.judgement import unique_ids
from harness.judge.scope import objective_id
from harness.printable import one_line
from harness.report.run_description import describe_run
from harness.safe_open import RefusedError
from harness.scenario import Load, parse_objective
from harness.scenario.objective_metrics import Form
from harness.scenario.question import canonical_objective, fingerprint, question_fingerprint

# A CI job of another repository names the commit that it tests.
COMMIT_VARIABLE = "HARNESS_COMMIT"
_STAMP = re.compile(r"^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-")
_IMAGE_DIGITS = 12

# Of the figures of a check: estimate, lower and upper bound. A maximum is the sample's own.
_FIGURES = (
    ("ns", "estimate_ns", "lower_ns", "upper_ns"),
    ("ns", "max_ns", "max_ns", "max_ns"),
    ("ns", "worst_ns", "worst_ns", "worst_ns"),
    ("ns", "recovery_ns", "recovery_least_ns", "recovery_ns"),
    ("ns", "backlog_ns", "first_ns", "backlog_ns"),
    ("share", "rejected_share", "lower_share", "upper_share"),
    ("share", "share", "lower_share", "upper_share"),
    ("bytes_per_h", "bytes_per_h", "lower_bytes_per_h", "upper_bytes_per_h"),
)
# Checks whose share is that of two counts.
_COUNTS = (("arrived", "attempted"), ("in_phase", "intended"))
_LIMITS = ("limit_ns", "limit_share", "limit_bytes_per_h")
NOT_VERIFIED = "NOT VERIFIED"


@dataclass(frozen=True, slots=True)
class HistoryRun:
    """A run of a history, and why its stored result cannot be trusted; empty where it can."""

    line: HistoryLine
    unverified: str = ""

    @property
    def verdict(self) -> str:
        """The stored verdict, or that it cannot be trusted."""
        return NOT_VERIFIED if self.unverified else self.line.verdict

    @property
    def is_measured(self) -> bool:
        """Whether its figures count; an INVALID run measured nothing."""
        return not self.unverified and self.line.verdict != "INVALID"


def read_run(
    folder: RunFolder, recorded_ns: int, environ: Mapping[str, str] = os.environ
) -> HistoryRun:
    """The line of a stored run.

    Args:
        folder: of the run.
        recorded_ns: Unix time.
        environ: may name the commit of the tested system, as `HARNESS_COMMIT`.

    Raises:
        EvidenceError: result, scenario or plan is missing or unreadable.
    """
    result, unverified = read_unverified(folder)
    scenario = folder.read_scenario()
    line = _line(
        folder.path,
        **_origin(folder, result.run_id, recorded_ns, environ),
        scenario=scenario.name,
        plan=_short(describe_run(scenario.load)),
        question=question_fingerprint(scenario),
        seed=scenario.seed,
        verdict=result.verdict.value,
        grade=result.judgement.grade.level,
        metrics=tuple(_metrics(result.judgement.of(CheckKind.OBJECTIVE), scenario.load)),
    )
    return HistoryRun(line, unverified)


def read_search(
    folder: CapacityFolder, recorded_ns: int, environ: Mapping[str, str] = os.environ
) -> HistoryRun:
    """The line of a search: the capacity, between the level that was proven and the one that broke.

    Raises:
        EvidenceError: a document is missing, unreadable, or not of this evidence.
    """
    result, scenario = folder.read_result(), folder.read_scenario()
    if not result.trials:
        raise EvidenceError("the search has no trial", where=str(folder.path))
    trial = RunFolder.open(folder.run_path(result.trials[0].run_id))
    bounds, axis = result.bounds, result.axis.value
    met = bounds.met if bounds.proven_met is None else bounds.proven_met
    line = _line(
        folder.path,
        **_origin(trial, folder.path.name, recorded_ns, environ),
        scenario=scenario.name,
        plan=f"search of the capacity, axis {axis}",
        question=fingerprint({"question": question_fingerprint(scenario), "axis": axis}),
        seed=scenario.seed,
        verdict=result.verdict.value,
        grade=result.grade.level,
        metrics=(
            Metric(
                id=f"capacity_{axis.replace('-', '_')}",
                objective=f"capacity, {axis}",
                unit="level",
                good="high",
                estimate=bounds.estimate,
                lower=met,
                upper=bounds.broken,
            ),
        ),
    )
    return HistoryRun(line)


def _line(path: Path, **values: Any) -> HistoryLine:
    try:
        return HistoryLine(**values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise EvidenceError(f"{place}: {first['msg']}", where=str(path)) from error


def _origin(
    folder: RunFolder, run_id: str, recorded_ns: int, environ: Mapping[str, str]
) -> dict[str, Any]:
    """What was run, where and when, of the documents of a run."""
    environment, stack = _document(folder, folder.environment), _document(folder, folder.stack)
    contract = folder.read_plan().contract.model_dump(mode="json", exclude_defaults=True)
    host = _host(environment.get("host"))
    commit = environ.get(COMMIT_VARIABLE)
    return {
        "run_id": run_id,
        "time": _time(run_id, folder.plan),
        "recorded": utc_text(recorded_ns),
        "commit": _short(commit or environment.get("commit") or ""),
        "modified": not commit and environment.get("modified") is True,
        "harness": _short(environment.get("harness") or ""),
        "stack": _short(stack.get("kind") or "unknown"),
        "system": _short(stack.get("name") or "") if stack.get("kind") == "attach" else "",
        "contract": fingerprint(contract),
        "host": fingerprint(host),
        "host_text": _short(
            f"{host['cpu_model']}, {host['cpus_usable']} of {host['cpus']} CPUs,"
            f" {host['memory_gib']} GiB"
        ),
        "images": dict(_images(stack.get("images"))),
    }


def _document(folder: RunFolder, path: Path) -> dict[str, Any]:
    """A document that a trend can do without."""
    try:
        return folder.read_json(path)
    except RefusedError:
        raise
    except EvidenceError:
        return {}


def _host(facts: object) -> dict[str, Any]:
    """What makes hosts equal for a comparison; a new kernel is a change, not another host."""
    known = facts if isinstance(facts, dict) else {}
    memory = known.get("memory_bytes")
    names = ("machine", "cpu_model", "cpus", "cpus_usable")
    gib = round(memory / (1 << 30)) if isinstance(memory, int) else None
    return {**{name: known.get(name) for name in names}, "memory_gib": gib}


def _images(images: object) -> Iterator[tuple[str, str]]:
    for service, facts in sorted(images.items()) if isinstance(images, dict) else ():
        if isinstance(facts, dict) and isinstance(facts.get("id"), str):
            yield _short(service), _short(facts["id"].removeprefix("sha256:")[:_IMAGE_DIGITS])


def _time(run_id: str, path: Path) -> str:
    """When a run began, by its id; of a folder with another name, when its plan was written."""
    if found := _STAMP.match(run_id):
        year, month, day, hour, minute, second = found.groups()
        return f"{year}-{month}-{day}T{hour}:{minute}:{second}Z"
    return utc_text(path.stat().st_mtime_ns)


def _metrics(checks: Sequence[Check], load: Load) -> Iterator[Metric]:
    found = []
    for check in checks:
        try:
            objective = canonical_objective(parse_objective(check.objective), load)
        except ValueError:  # no objective's own check, or of another grammar
            continue
        if figures := _figures(check.figures):
            good = "high" if objective.measures.form is Form.SHARE_REACHED else "low"
            name = objective_id(objective, check.mode)
            found.append((name, {**figures, "objective": _short(check.name), "good": good}))
    ids = unique_ids(name for name, _ in found)
    for name, (_, figures) in zip(ids, found, strict=True):
        yield Metric(id=name, **figures)


def _figures(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Unit, estimate, bounds and limit of an objective; empty where it has no figures."""
    known = {
        name: value
        for name, value in figures.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    }
    limit = next((known[name] for name in _LIMITS if name in known), None)
    for part, whole in _COUNTS:
        if known.get(whole) and part in known and "lower_share" in known:
            known["share"] = known[part] / known[whole]
    for unit, estimate, lower, upper in _FIGURES:
        if estimate in known or (unit == "ns" and lower in known):
            return {
                "unit": unit,
                "estimate": known.get(estimate),
                "lower": known.get(lower),
                "upper": known.get(upper),
                "limit": limit,
            }
    return {}


def _short(value: object) -> str:
    return one_line(str(value))[:TEXT_MAX]
