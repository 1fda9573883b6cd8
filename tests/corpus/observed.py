"""What today's code finds in a stored run, in words that do not change with the code.

This is the only part of the corpus that knows the names of the code's values. Whoever changes those
changes this module, and neither the stored runs nor what is expected of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.analysis.measurement import Measurement
from harness.assessment.assess import assess, assess_and_store
from harness.diagnosis.answers import Diagnosis
from harness.errors import HarnessError
from harness.evidence.chaos_folder import ChaosFolder
from harness.evidence.group_folder import GroupFolder
from harness.evidence.run_folder import RunFolder
from harness.experiments.chaos import judge_rounds
from harness.experiments.isolation_run import judge_blocks
from harness.experiments.repeat import judge_again
from harness.judge.check import Check
from harness.judge.grade import Grade
from harness.judge.judgement import Judgement
from harness.judge.verdict import Status
from tests.corpus.archive import HERE

Document = dict[str, Any]
CHECK_IDS: dict[str, str] = tomllib.loads((HERE / "check_ids.toml").read_text("utf-8"))["ids"]
# Figures of a check that does not apply, which had only a message when the corpus was recorded.
_REASON_FIGURES = {"reason", "missing"}
_TRACE_CHARS = 36
_COUNTS = (
    *("attempted", "simulated", "rejected", "lost", "in_flight", "refused", "recovered"),
    *("refused_unanswered", "recovered_rejected", "unseen", "commit_unknown"),
    *("stale", "stale_rejected", "behind", "behind_rejected"),
)


def observed(folder: Path, *, on_demand: bool = False) -> Document:
    """What is found in the folder of a run, of a group or of rounds; results are stored there.

    Args:
        folder: as `unpack` makes it.
        on_demand: whether a diagnosis is asked for, however good the latency was.
    """
    try:
        if (folder / "repeat.json").exists():
            return _group(folder)
        if (folder / "chaos.json").exists():
            return _rounds(folder)
        return _run(RunFolder.open(folder), on_demand=on_demand)
    except HarnessError as error:
        # The path begins with wherever the run lies now.
        where = error.where.removeprefix(str(folder)).lstrip("/")
        return {"kind": "unreadable", "exit code": int(error.exit_code), "where": where}


def check_id(check: Check) -> str:
    """The key of a check: that of its id, or of an objective its text with the mode.

    Raises:
        KeyError: `check_ids.toml` does not name it.
    """
    return check.name if check.objective else CHECK_IDS[check.id]


def _run(folder: RunFolder, *, on_demand: bool) -> Document:
    found = assess_and_store(folder)
    judgement, measurement = found.judgement, found.measurement
    diagnosis = assess(folder, on_demand=True).diagnosis if on_demand else found.diagnosis
    document = {
        "kind": "run",
        "verdict": judgement.verdict.name,
        "exit code": judgement.exit_code,
        "grade": _grade(judgement.grade),
        "horizon s": judgement.horizon_s,
        **_checks(judgement.checks),
        "analyses": _analyses(judgement),
        **_measured(measurement),
        "diagnosis": _diagnosis(diagnosis),
    }
    if folder.read_scenario().isolation is not None:
        document["isolation"] = _isolation(folder)
    return document


def _grade(grade: Grade) -> Document:
    return {"level": grade.level, "reasons": len(grade.reasons)}


def _checks(checks: Iterable[Check]) -> Document:
    """Every check in order; of those that name signals, the signals; those that were not made."""
    checks = tuple(checks)
    named = {check_id(one): [n for n in one.examples if len(n) == _TRACE_CHARS] for one in checks}
    return {
        "checks": [
            [check_id(one), one.kind.value, one.status.verdict.name, _figures(one)]
            for one in checks
        ],
        "offenders": {check_id(one): len(one.examples) for one in checks if one.examples},
        "signals named": {key: traces for key, traces in named.items() if traces},
        "not judged": [check_id(one) for one in checks if one.status is Status.NOT_APPLICABLE],
    }


def _figures(check: Check) -> Document:
    if check.status is not Status.NOT_APPLICABLE:
        return dict(check.figures)
    return {key: value for key, value in check.figures.items() if key not in _REASON_FIGURES}


def _analyses(judgement: Judgement) -> list[Any]:
    return [
        [one.number, [[f.objective, f.verdict.name, f.estimate, f.effective] for f in one.findings]]
        for one in judgement.analyses
    ]


def _measured(found: Measurement) -> Document:
    return {
        "signals": {
            phase: {name: number for name in _COUNTS if (number := getattr(account, name))}
            for phase, account in found.accounts.items()
        },
        "effects": [found.duplicated, found.unexpected, found.foreign, found.nonce_addresses],
        "findings": {name: number for name, number in found.findings.items() if number},
        "durations": {
            f"{one.phase} {one.mode} {one.metric}": {
                "count": one.count,
                "censored": one.censored,
                "rejected": one.rejected,
                "negative": one.negative,
                "overflow": one.overflow,
                "mean": one.mean_ns,
                "min": one.min_ns,
                "max": one.max_ns,
                **one.percentiles_ns,
            }
            for one in found.figures
        },
        "stages": {
            f"{split.phase} {split.mode}": [
                [one.start, one.end, one.count, one.sum_ns, one.p50_ns, one.p99_ns, one.max_ns]
                for one in split.stages
            ]
            for split in found.splits
        },
        "rates": {one.phase: [one.intended, one.attempted, one.in_phase] for one in found.rates},
        "clocks": [[one.server, one.kept, one.error_ns, one.steps] for one in found.clocks],
        "recoveries": [
            [one.kind, one.first_ns, one.backlog_ns, one.normal_ns, one.sent_after]
            for one in found.recoveries
        ],
        "faults": [[one.name, one.proven_s is not None] for one in found.faults],
        "gate": (
            [found.gate.rounds, found.gate.held, found.gate.broken, found.gate.unplayed]
            if found.gate is not None
            else None
        ),
    }


def _diagnosis(found: Diagnosis | None) -> Document | None:
    if found is None:
        return None
    return {
        "failed": bool(found.failed),
        "headline": found.headline is not None,
        "answers": [[one.key, one.answer.value] for one in found.questions],
        "remarks": [one.key for one in found.remarks],
        "slow": [[one.start_s, one.end_s] for one in found.slow],
    }


def _group(folder: Path) -> Document:
    found = judge_again(GroupFolder(folder))
    texts = {check.id: check.name for check in found.checks}
    return {
        "kind": "group",
        "verdict": found.verdict.name,
        "exit code": found.exit_code,
        "grade": _grade(found.grade),
        **_checks(found.checks),
        "runs": [
            [one.seed, one.verdict.name, {texts[own]: n for own, n in one.estimates_ns.items()}]
            for one in found.runs
        ],
    }


def _rounds(folder: Path) -> Document:
    found = judge_rounds(ChaosFolder.open(folder))
    return {
        "kind": "rounds",
        "verdict": found.verdict.name,
        "exit code": found.exit_code,
        "planned": found.planned,
        "rounds": [
            [
                *(one.number, one.fault, one.verdict.name, one.first_ns, one.backlog_ns),
                *(one.lost, one.duplicated, one.refused, len(one.reasons)),
            ]
            for one in found.rounds
        ],
        "faults": [[one.fault, one.rounds, one.unclean] for one in found.kinds],
    }


def _isolation(folder: RunFolder) -> Document:
    found = judge_blocks(folder)
    change = found.change
    return {
        "outcome": found.outcome.value,
        "exit code": found.exit_code,
        "reasons": len(found.because),
        "p99": [found.baseline_p99_ns, found.treatment_p99_ns],
        "change": (
            [change.pairs, change.estimate_ns, change.lower_ns, change.upper_ns]
            if change is not None
            else None
        ),
        "blocks": [
            [
                *(one.pair, one.is_treatment, one.start_s, one.end_s, one.signals, one.p99_ns),
                *(one.lateness_p99_ns, bool(one.force)),
            ]
            for one in found.blocks
        ],
        "fought over": found.contention.is_fought_over if found.contention is not None else None,
    }
