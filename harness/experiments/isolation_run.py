"""The isolation experiment: one run in blocks, compared in pairs.

1. Extend the scenario's load (agents, rate, content) over the blocks.
2. Apply the disturbance, as faults, to one block of each pair: the treatment; the other block is
   the baseline.
3. Run it as any other scenario, with every check of a run.
4. From the evidence: the P99 of each block, whether the disturbance took effect, the change.
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
from harness.scenario.fault import Fault
from harness.scenario.fault_registry import kinds_where
from harness.scenario.isolation import Isolation, treatment_faults
from harness.scenario.models import Phase

RESULT = "isolation.json"
_P99 = 99.0
# Keys of a fault that state its times.
_BY_BLOCKS = frozenset({"at_s", "for_s", "times", "every_s", "jitter_s"})


def expand_blocks(
    document: dict[str, Any], isolation: Isolation, faults: list[dict[str, Any]], seed: int
) -> None:
    """Turn a scenario's document into one in blocks.

    Args:
        document: as read from its file; changed in place.
        isolation: number and length of the blocks.
        faults: the disturbance, without times.
        seed: of the order within the pairs.

    Raises:
        UsageError: it has no load to extend, or faults of its own; the disturbance is not possible.
    """
    _check_disturbance(faults)
    load = document.get("load")
    stages = load.get("stages") if isinstance(load, dict) else None
    if not isinstance(load, dict) or not isinstance(stages, list) or not stages:
        raise UsageError("the scenario has no [[load.stages]] to extend", where="load.stages")
    if document.get("fault"):
        raise UsageError(
            "the scenario has faults of its own, which would affect the baseline blocks too",
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
        block.start_ns / NS_PER_S for block in _blocks(isolation, seed, 0) if block.is_treatment
    )
    document["fault"] = treatment_faults(faults, isolation, starts_s)
    document["isolation"] = isolation.model_dump(mode="json")


def _check_disturbance(faults: list[dict[str, Any]]) -> None:
    """The blocks determine its times, so it has to last, and must state no times itself."""
    possible = kinds_where(lambda kind: kind.lasts() or kind.repeats_as_disturbance)
    for fault in faults:
        kind = fault.get("kind")
        if kind not in possible:
            raise UsageError(
                f"{kind!r} is no disturbance: it has to last for a given time",
                where="--disturb",
                hint=f"possible are {', '.join(sorted(possible))}",
            )
        if times := sorted(_BY_BLOCKS & fault.keys()):
            raise UsageError(
                f"{kind} states {', '.join(times)}, but a disturbance acts in every second block",
                where="--disturb",
                hint="leave it out; --block sets the length of a block",
            )


def require_latency_objective(scenario: Scenario) -> None:
    """Make sure that there is a latency objective to meet under the disturbance.

    Raises:
        UsageError: the scenario has none.
    """
    if tightest_latency_ns(scenario) is None:
        raise UsageError(
            "the scenario has no latency objective to meet",
            where="objectives",
            hint="add one, as in p99 < 500 ms",
        )


def judge_blocks(
    folder: RunFolder, known: tuple[Assessment, RunAnalysis] | None = None
) -> IsolationJudgement:
    """Judge a run in blocks from its evidence, and write `isolation.json`.

    Args:
        folder: of the run.
        known: assessment and analysis of this evidence; None to read it.

    Raises:
        UsageError: the run was no isolation experiment.
        EvidenceError: evidence is missing or unreadable.
    """
    scenario = folder.read_scenario()
    if scenario.isolation is None:
        raise UsageError(
            "is no isolation experiment", where=str(folder.path), hint="`harness isolate` makes one"
        )
    assessment, analysis = known or assess_with_analysis(folder)
    limit_ns = tightest_latency_ns(scenario)
    if limit_ns is None:
        raise EvidenceError("the scenario has no latency objective to meet", where="objectives")
    telemetry = read_telemetry_file(folder.telemetry, analysis.timeline.t0_ns)
    evidence = _evidence(
        scenario, scenario.isolation, analysis, limit_ns, _on_purpose(folder), telemetry
    )
    judgement = judge_isolation(evidence, assessment.judgement)
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


def _evidence(
    scenario: Scenario,
    isolation: Isolation,
    analysis: RunAnalysis,
    limit_ns: int,
    on_purpose: dict[str, str],
    telemetry: Telemetry,
) -> IsolationEvidence:
    start_ns = scenario.load.measured_stretches_ns()[0][0]
    blocks = _blocks(isolation, scenario.seed, start_ns)
    latency, lateness = _series(analysis, Metric.LATENCY), _series(analysis, Metric.LATENESS)
    full = _series(analysis, Metric.LATENCY, Mode.FULL)
    baseline = [block for block in blocks if not block.is_treatment]
    treatment = [block for block in blocks if block.is_treatment]
    figures = tuple(
        BlockFigures(
            pair=block.pair,
            is_treatment=block.is_treatment,
            start_s=block.start_ns / NS_PER_S,
            end_s=block.end_ns / NS_PER_S,
            signals=block_signal_count(latency, [block]),
            p99_ns=block_percentile(latency, [block], _P99),
            lateness_p99_ns=block_percentile(lateness, [block], _P99),
            lateness_max_ns=block_percentile(lateness, [block], 100.0),
            force=_force(block, analysis, scenario.fault) if block.is_treatment else "",
        )
        for block in blocks
    )
    return IsolationEvidence(
        blocks=figures,
        baseline_p99_ns=block_percentile(latency, baseline, _P99),
        treatment_p99_ns=block_percentile(latency, treatment, _P99),
        margin_ns=round(isolation.margin_ms * NS_PER_MS),
        limit_ns=limit_ns,
        lateness_limit_ns=LATENESS_P99.of(scenario),
        expected_failures=on_purpose,
        contention=_contention(
            telemetry, blocks, frozenset(fault.target for fault in scenario.fault)
        ),
        lingering_s=tuple(one.start_ns / NS_PER_S for one in baseline if _lingers(one, analysis)),
        full_p99_ns=(
            block_percentile(full, baseline, _P99),
            block_percentile(full, treatment, _P99),
        ),
    )


def _contention(
    telemetry: Telemetry, blocks: Sequence[TrialBlock], targets: frozenset[str]
) -> ContentionFigures | None:
    baseline, treatment = (
        measure_contention(telemetry, [b for b in blocks if b.is_treatment is kind], targets)
        for kind in (False, True)
    )
    if baseline is None or treatment is None:
        return None
    return ContentionFigures(
        cores=treatment.cores,
        baseline_busy_cores=baseline.busy_cores,
        treatment_busy_cores=treatment.busy_cores,
        baseline_waited_cores=baseline.waited_cores,
        treatment_waited_cores=treatment.waited_cores,
        is_fought_over=treatment.is_fought_over,
    )


def _on_purpose(folder: RunFolder) -> dict[str, str]:
    """Checks of the run that the experiment makes fail on purpose."""
    try:
        is_limited = folder.read_json(folder.stack).get("agents_limited", True)
    except EvidenceError:
        return {}
    return {} if is_limited else {QUOTAS_ENFORCED.id: "the limits of the agents were removed"}


def _series(analysis: RunAnalysis, metric: Metric, mode: Mode = Mode.LITE) -> Series:
    """The metric of all measured signals of a mode; most signals are not simulated in full.

    Without rejections: their censored times depend on the block, and an objective judges them.
    """
    cell = analysis.signals.cells.get(CellKey(Phase.MEASURE, mode))
    if cell is None or metric not in cell.series:
        return Series()
    return cell.slo_series(metric).within_layout()


def _force(block: TrialBlock, analysis: RunAnalysis, faults: Sequence[Fault]) -> str:
    """Evidence that the whole disturbance was active in a block; empty if any part was not."""
    t0_ns = analysis.timeline.t0_ns
    start_ns, end_ns = t0_ns + block.start_ns, t0_ns + block.counted_end_ns
    parts = []
    for fault in faults:
        own = [
            record
            for record in analysis.faults.records or ()
            if (record.kind, record.target) == (fault.kind, fault.target)
            and start_ns <= record.planned_ns < end_ns
        ]
        seen = [record for record in own if _shown(record, t0_ns + block.counted_ns, end_ns)]
        if not seen:
            return ""
        times = f" ({len(seen)} times)" if len(seen) > 1 else ""
        parts.append(f"{fault.target}: {seen[0].seen}{times}")
    return "; ".join(parts)


def _lingers(block: TrialBlock, analysis: RunAnalysis) -> bool:
    """Whether no probe saw the disturbance end before the signals of a baseline block count."""
    t0_ns = analysis.timeline.t0_ns
    counted_ns, end_ns = t0_ns + block.counted_ns, t0_ns + block.counted_end_ns
    return any(
        record.injected_ns is not None
        and record.injected_ns < end_ns
        and (record.heal_proven_ns is None or record.heal_proven_ns > counted_ns)
        for record in analysis.faults.records or ()
    )


def _shown(record: FaultRecord, counted_ns: int, end_ns: int) -> bool:
    """Whether the probe saw it: if it lasts, before signals counted and again at the end."""
    if record.proven_ns is None:
        return False
    if not record.for_ns:
        return record.proven_ns < end_ns
    return record.proven_ns <= counted_ns and (record.held_ns or 0) >= end_ns
