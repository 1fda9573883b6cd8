"""The isolation experiment: one run in blocks, and what its pairs say.

1. Take the scenario's load (agents, rate, content) and stretch it over the blocks.
2. Put the disturbance, as faults, over one block of each pair.
3. Run it as any other scenario: every check of a run stays.
4. From the evidence: the P99 of each block, whether the disturbance had force, the change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.analysis.cpu_contention import measure_contention
from harness.analysis.paired_blocks import (
    TrialBlock,
    block_percentile,
    block_signal_count,
    plan_blocks,
)
from harness.analysis.recorder import CellKey, Metric
from harness.analysis.resources.telemetry import Telemetry
from harness.analysis.resources.telemetry_reader import read_telemetry_file
from harness.analysis.run_analysis import RunAnalysis
from harness.analysis.series import Series
from harness.assessment.assess import Assessment, assess_with_analysis
from harness.assessment.isolation import IsolationEvidence, judge_isolation
from harness.assessment.isolation_result import BlockFigures, ContentionFigures, IsolationJudgement
from harness.clock import NS_PER_MS, NS_PER_S
from harness.errors import EvidenceError, UsageError
from harness.evidence.fault_log import FaultRecord
from harness.evidence.records import Mode
from harness.evidence.run_folder import RunFolder
from harness.judge.limits import LATENESS_P99, tightest_latency_ns
from harness.judge.quotas import QUOTAS_ENFORCED
from harness.scenario import Scenario
from harness.scenario.fault import LASTING, Fault
from harness.scenario.isolation import INSTANT_KINDS, Isolation, treatment_faults
from harness.scenario.models import Phase

RESULT = "isolation.json"
_P99 = 99.0
# What a fault says of its times.
_BY_BLOCKS = frozenset({"at_s", "for_s", "times", "every_s", "jitter_s"})


def expand_blocks(
    document: dict[str, Any], isolation: Isolation, faults: list[dict[str, Any]], seed: int
) -> None:
    """Make a scenario's document one in blocks.

    Args:
        document: as read from its file; changed in place.
        isolation: how the blocks lie.
        faults: the disturbance, without times.
        seed: of the order within the pairs.

    Raises:
        UsageError: it has no load to stretch, or faults of its own; the disturbance cannot be one.
    """
    _check_disturbance(faults)
    load = document.get("load")
    stages = load.get("stages") if isinstance(load, dict) else None
    if not isinstance(load, dict) or not isinstance(stages, list) or not stages:
        raise UsageError("the scenario has no [[load.stages]] to stretch", where="load.stages")
    if document.get("fault"):
        raise UsageError(
            "the scenario has faults of its own, which would disturb the quiet blocks too",
            where="fault",
            hint="name the disturbance with --disturb",
        )
    first = stages[0] if isinstance(stages[0], dict) else {}
    load.pop("until_decided_s", None)
    level = {**first, "duration_s": isolation.load_s}
    level.pop("rate_to", None)
    level.pop("phase", None)  # what is in blocks is measured
    load["stages"], load["repeat"] = [level], 1
    starts_s = tuple(
        block.start_ns / NS_PER_S for block in _blocks(isolation, seed, 0) if block.disturbed
    )
    document["fault"] = treatment_faults(faults, isolation, starts_s)
    document["isolation"] = isolation.model_dump(mode="json")


def _check_disturbance(faults: list[dict[str, Any]]) -> None:
    """When it acts say the blocks, so it has to last, and can say nothing of that itself."""
    for fault in faults:
        kind = fault.get("kind")
        if kind not in LASTING | INSTANT_KINDS:
            raise UsageError(
                f"{kind!r} is no disturbance: it has to last as long as it is told",
                where="--disturb",
                hint=f"possible are {', '.join(sorted(LASTING | INSTANT_KINDS))}",
            )
        if said := sorted(_BY_BLOCKS & fault.keys()):
            raise UsageError(
                f"{kind} says {', '.join(said)}, and a disturbance acts in every second block",
                where="--disturb",
                hint="leave it out; --block says how long a block is",
            )


def require_latency_objective(scenario: Scenario) -> None:
    """Make sure that there is a latency to keep under the disturbance.

    Raises:
        UsageError: the scenario promises none.
    """
    if tightest_latency_ns(scenario) is None:
        raise UsageError(
            "the scenario promises no latency, so there is nothing to keep",
            where="objectives",
            hint="add one, as in p99 < 500 ms",
        )


def judge_blocks(
    folder: RunFolder, known: tuple[Assessment, RunAnalysis] | None = None
) -> IsolationJudgement:
    """Judge a run in blocks from its evidence, and write `isolation.json`.

    Args:
        folder: of the run.
        known: what has just been gathered from this very evidence; None to read it.

    Raises:
        UsageError: the run was no isolation experiment.
        EvidenceError: evidence is missing or unreadable.
    """
    scenario = folder.read_scenario()
    if scenario.isolation is None:
        raise UsageError(
            "is no isolation experiment", where=str(folder.path), hint="`harness isolate` makes one"
        )
    assessment, gathered = known or assess_with_analysis(folder)
    limit_ns = tightest_latency_ns(scenario)
    if limit_ns is None:
        raise EvidenceError(
            "the scenario promises no latency, so there is nothing to keep", where="objectives"
        )
    telemetry = read_telemetry_file(folder.telemetry, gathered.timeline.t0_ns)
    found = _found(scenario, scenario.isolation, gathered, limit_ns, _on_purpose(folder), telemetry)
    judgement = judge_isolation(found, assessment.judgement)
    folder.write_json(folder.path / RESULT, judgement.model_dump(mode="json"))
    return judgement


def _blocks(isolation: Isolation, seed: int, start_ns: int) -> tuple[TrialBlock, ...]:
    return plan_blocks(
        isolation.pairs,
        isolation.block_ns,
        isolation.settle_ns,
        isolation.release_ns,
        seed,
        start_ns,
    )


def _found(
    scenario: Scenario,
    isolation: Isolation,
    gathered: RunAnalysis,
    limit_ns: int,
    on_purpose: dict[str, str],
    telemetry: Telemetry,
) -> IsolationEvidence:
    start_ns = scenario.load.measured_stretches_ns()[0][0]
    blocks = _blocks(isolation, scenario.seed, start_ns)
    latency, lateness = _series(gathered, Metric.LATENCY), _series(gathered, Metric.LATENESS)
    full = _series(gathered, Metric.LATENCY, Mode.FULL)
    quiet = [block for block in blocks if not block.disturbed]
    disturbed = [block for block in blocks if block.disturbed]
    figures = tuple(
        BlockFigures(
            pair=block.pair,
            disturbed=block.disturbed,
            start_s=block.start_ns / NS_PER_S,
            end_s=block.end_ns / NS_PER_S,
            signals=block_signal_count(latency, [block]),
            p99_ns=block_percentile(latency, [block], _P99),
            lateness_p99_ns=block_percentile(lateness, [block], _P99),
            lateness_max_ns=block_percentile(lateness, [block], 100.0),
            force=_force(block, gathered, scenario.fault) if block.disturbed else "",
        )
        for block in blocks
    )
    return IsolationEvidence(
        blocks=figures,
        quiet_p99_ns=block_percentile(latency, quiet, _P99),
        disturbed_p99_ns=block_percentile(latency, disturbed, _P99),
        margin_ns=round(isolation.margin_ms * NS_PER_MS),
        limit_ns=limit_ns,
        lateness_limit_ns=LATENESS_P99.of(scenario),
        expected_failures=on_purpose,
        contention=_contention(
            telemetry, blocks, frozenset(fault.target for fault in scenario.fault)
        ),
        lingering_s=tuple(one.start_ns / NS_PER_S for one in quiet if _lingers(one, gathered)),
        full_p99_ns=(
            block_percentile(full, quiet, _P99),
            block_percentile(full, disturbed, _P99),
        ),
    )


def _contention(
    telemetry: Telemetry, blocks: Sequence[TrialBlock], disturbers: frozenset[str]
) -> ContentionFigures | None:
    quiet, disturbed = (
        measure_contention(telemetry, [b for b in blocks if b.disturbed is kind], disturbers)
        for kind in (False, True)
    )
    if quiet is None or disturbed is None:
        return None
    return ContentionFigures(
        cores=disturbed.cores,
        quiet_busy_cores=quiet.busy_cores,
        disturbed_busy_cores=disturbed.busy_cores,
        quiet_waited_cores=quiet.waited_cores,
        disturbed_waited_cores=disturbed.waited_cores,
        is_fought_over=disturbed.is_fought_over,
    )


def _on_purpose(folder: RunFolder) -> dict[str, str]:
    """Checks of the run that fail because the experiment wants it so."""
    try:
        is_limited = folder.read_json(folder.stack).get("agents_limited", True)
    except EvidenceError:
        return {}
    return {} if is_limited else {QUOTAS_ENFORCED.id: "the limits of the agents were taken away"}


def _series(gathered: RunAnalysis, metric: Metric, mode: Mode = Mode.LITE) -> Series:
    """The metric of all measured signals of a mode; most signals are not simulated in full.

    Without rejections: the time they had until the end depends on the block, and an objective
    judges them.
    """
    cell = gathered.signals.cells.get(CellKey(Phase.MEASURE, mode))
    if cell is None or metric not in cell.series:
        return Series()
    return cell.slo_series(metric).within_layout()


def _force(block: TrialBlock, gathered: RunAnalysis, faults: Sequence[Fault]) -> str:
    """What proves that the whole disturbance was on in a block; empty if any part was not."""
    t0_ns = gathered.timeline.t0_ns
    start_ns, end_ns = t0_ns + block.start_ns, t0_ns + block.counted_end_ns
    words = []
    for fault in faults:
        own = [
            record
            for record in gathered.faults.records or ()
            if (record.kind, record.target) == (fault.kind, fault.target)
            and start_ns <= record.planned_ns < end_ns
        ]
        seen = [record for record in own if _shown(record, t0_ns + block.counted_ns, end_ns)]
        if not seen:
            return ""
        times = f" ({len(seen)} times)" if len(seen) > 1 else ""
        words.append(f"{fault.target}: {seen[0].seen}{times}")
    return "; ".join(words)


def _lingers(block: TrialBlock, gathered: RunAnalysis) -> bool:
    """Whether a disturbance was not seen to be over before the signals of a quiet block count."""
    t0_ns = gathered.timeline.t0_ns
    counted_ns, end_ns = t0_ns + block.counted_ns, t0_ns + block.counted_end_ns
    return any(
        record.injected_ns is not None
        and record.injected_ns < end_ns
        and (record.heal_proven_ns is None or record.heal_proven_ns > counted_ns)
        for record in gathered.faults.records or ()
    )


def _shown(record: FaultRecord, counted_ns: int, end_ns: int) -> bool:
    """Whether the probe saw it: one that lasts before signals counted and again at the end."""
    if record.proven_ns is None:
        return False
    if not record.for_ns:
        return record.proven_ns < end_ns
    return record.proven_ns <= counted_ns and (record.held_ns or 0) >= end_ns
