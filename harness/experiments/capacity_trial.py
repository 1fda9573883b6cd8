"""One trial of a search: its scenario, and what its run says of the level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from pydantic import ValidationError

from harness.analysis.capacity.backlog import WINDOW_LEAST_S, backlog_grows
from harness.analysis.capacity.measured_backlog import measured_backlog
from harness.analysis.capacity.trials import Answer, TrialOutcome, TrialRequest
from harness.analysis.measurement import Measurement
from harness.analysis.resources.telemetry import Telemetry
from harness.analysis.resources.telemetry_reader import read_telemetry_file
from harness.analysis.statistics import CONFIDENCE, order_ranks
from harness.assessment.assess import Assessment
from harness.assessment.capacity import LatencyFigures, ServiceUse, TrialFigures
from harness.clock import NS_PER_S
from harness.diagnosis.series_slice import slice_series
from harness.errors import EvidenceError, UsageError
from harness.evidence.run_folder import RunFolder
from harness.judge.check import Check, CheckKind
from harness.judge.inconclusive import INCONCLUSIVE_BY
from harness.judge.judgement import Judgement
from harness.judge.verdict import Status, Verdict
from harness.scenario import Scenario
from harness.scenario.capacity_axis import CapacityAxis, at_level, stage_of
from harness.scenario.file import format_problems
from harness.scenario.load import Phase
from harness.scenario.models import SEED_MAX

_REASONS_MAX = 20
# Objectives of the load, which the system does not decide.
_OF_THE_GENERATOR = ("rate", "lateness")
# A trial that is repeated goes on until its backlog can be judged: overload may make the
# generator late, and a growing backlog says what a run that is INVALID cannot.
_OBSERVED_S = WINDOW_LEAST_S + 5


def trial_scenario(base: Scenario, axis: CapacityAxis, request: TrialRequest) -> Scenario:
    """The scenario of a trial: one stage at its level, until it is decided, with its own seed.

    Raises:
        UsageError: the base scenario does not allow such a load.
    """
    length_s, until_s = request.length_s, request.until_decided_s
    observed_s = 0.0
    if request.attempt > 1:
        observed_s = _OBSERVED_S
        length_s = max(length_s, observed_s)
    document = at_level(base, axis, request.level)
    load = document["load"]
    load["stages"][0]["duration_s"] = length_s
    load |= {
        "until_decided_s": until_s if until_s > length_s else None,
        "abort_on_overload": True,
    }
    document |= {
        "seed": (base.seed + request.number) % (SEED_MAX + 1),
        "objectives": list(_objectives(base, observed_s)),
    }
    try:
        return Scenario.model_validate(document)
    except ValidationError as error:
        raise UsageError(
            f"it allows no trial at {request.level:g}: {format_problems(error, 'scenario')}",
            where=base.name,
            hint="docs/capacity.md lists what a scenario of a search needs",
        ) from error


def _objectives(base: Scenario, delay_s: float) -> Iterator[str | dict[str, Any]]:
    """The objectives; a percentile of latency that fails for certain ends the trial."""
    for slo in base.slos():
        if slo.parsed.is_latency_percentile:
            yield {"objective": slo.objective, "abort_on_fail": True, "abort_delay_s": delay_s}
        else:
            yield slo.objective


def trial_figures(
    base: Scenario,
    axis: CapacityAxis,
    request: TrialRequest,
    run: tuple[Assessment, RunFolder],
    elapsed_s: float,
) -> TrialFigures:
    """What a trial says, from its evidence and nothing else.

    Args:
        base: the scenario of the search.
        axis: what is searched.
        request: of the trial.
        run: its assessment, and its folder.
        elapsed_s: of the whole trial.

    Raises:
        EvidenceError: evidence is unreadable, or that of another trial.
    """
    (measurement, judgement, _), folder = run
    own = folder.read_scenario()
    if own != trial_scenario(base, axis, request):
        raise EvidenceError(
            f"is not trial {request.number}: its scenario is another one", where=folder.run_id
        )
    metadata = folder.read_run()
    load = metadata.actual_load(own.load)
    sent_until_ns = metadata.load_end_ns - metadata.t0_ns if metadata.load_end_ns else None
    times_s, backlog = measured_backlog(measurement.seconds, load, sent_until_ns)
    grows = backlog_grows(times_s, backlog)
    is_observed = len(times_s) > 1 and times_s[-1] - times_s[0] >= WINDOW_LEAST_S
    stage, measured_s, sent = stage_of(own), None, None
    for rate in measurement.rates:
        if rate.phase == Phase.MEASURE and rate.duration_s:
            measured_s, sent = rate.duration_s, rate.attempted / rate.duration_s
    shared = _shared_facts(folder)
    return TrialFigures(
        number=request.number,
        run_id=folder.run_id,
        level=request.level,
        purpose=request.purpose,
        part=request.part,
        attempt=request.attempt,
        agents=stage.agents,
        rate=stage.rate_from,
        sent=sent,
        measured_s=measured_s,
        elapsed_s=round(elapsed_s, 3),
        verdict=judgement.verdict,
        answer=_answer(own, judgement, request.confidence, grows=grows),
        p50_ns=_percentile_ns(measurement, "latency", "p50"),
        latency=tuple(_latency(own, judgement)),
        is_backlog_stable=False if grows else True if is_observed else None,
        backlog_growth=_growth(times_s, backlog),
        backlog_max=int(backlog.max()) if len(backlog) else None,
        lateness_p99_ns=_percentile_ns(measurement, "lateness", "p99"),
        services=_services(folder, metadata.t0_ns, load.measured_stretches_ns(), sent_until_ns),
        stack_started=not shared.get("idle"),
        renewed_because=str(shared.get("renewed_because") or ""),
        idle_waited_s=(shared.get("idle") or {}).get("waited_s"),
        reasons=tuple(_reasons(judgement))[:_REASONS_MAX],
        grade=judgement.grade,
    )


def outcome_of(request: TrialRequest, figures: TrialFigures) -> TrialOutcome:
    """What the search has to know of a trial."""
    return TrialOutcome(
        request=request,
        answer=figures.answer,
        is_backlog_stable=figures.is_backlog_stable,
        measured_s=figures.measured_s,
        limit_ratio=figures.limit_ratio,
    )


def _answer(scenario: Scenario, judgement: Judgement, confidence: float, *, grows: bool) -> Answer:
    """PASS is met, FAIL is broken; a backlog that certainly grows is broken whatever else is so.

    A load that was not sent as asked for says nothing of the system. What is undecided at the
    confidence of a run may be met at the one that the search asks for, which spends its error over
    several trials.
    """
    if grows:
        return Answer.BROKEN
    if judgement.verdict is Verdict.FAIL and _only_generator_failed(scenario, judgement):
        return Answer.INVALID
    if judgement.verdict is Verdict.INCONCLUSIVE and _is_met_at(judgement, confidence):
        return Answer.MET
    return {
        Verdict.PASS: Answer.MET,
        Verdict.FAIL: Answer.BROKEN,
        Verdict.INCONCLUSIVE: Answer.UNDECIDED,
        Verdict.INVALID: Answer.INVALID,
    }[judgement.verdict]


def _is_met_at(judgement: Judgement, confidence: float) -> bool:
    """Whether every undecided check is a percentile that meets its limit at a confidence."""
    # The verdict has spent its own error already.
    rest = confidence + (1 - CONFIDENCE)
    undecided = [one for one in judgement.checks if one.status is Status.INCONCLUSIVE]
    return rest < CONFIDENCE and all(_percentile_is_met(one, rest) for one in undecided)


def _percentile_is_met(check: Check, confidence: float) -> bool:
    """Whether the upper bound of a percentile is below its limit: that of `percentile_interval`."""
    percentile, beyond = _number(check, "percentile"), _number(check, "beyond")
    signals, size = _number(check, "signals"), _number(check, "effective")
    if percentile is None or beyond is None or not signals or not size:
        return False
    if check.figures.get(INCONCLUSIVE_BY) is not None:  # observer, generator or host
        return False
    _, upper = order_ranks(int(size), percentile, confidence)
    return upper is not None and (signals - beyond) * size >= upper * signals


def _only_generator_failed(scenario: Scenario, judgement: Judgement) -> bool:
    metrics = {one.text: one.metric for one in scenario.parsed_objectives()}
    failed = [check for check in judgement.checks if check.status is Status.FAIL]
    return all(metrics.get(check.objective) in _OF_THE_GENERATOR for check in failed)


def _latency(scenario: Scenario, judgement: Judgement) -> Iterator[LatencyFigures]:
    texts = {one.text for one in scenario.parsed_objectives() if one.is_latency_percentile}
    for check in judgement.of(CheckKind.OBJECTIVE):
        if check.objective in texts and _number(check, "limit_ns") is not None:
            yield LatencyFigures(
                objective=check.objective,
                mode=check.mode,
                estimate_ns=_number(check, "estimate_ns"),
                lower_ns=_number(check, "lower_ns"),
                upper_ns=_number(check, "upper_ns"),
                confidence=_number(check, "confidence") or 0.0,
                limit_ns=_number(check, "limit_ns") or 0.0,
            )


def _number(check: Check, name: str) -> float | None:
    value = check.figures.get(name)
    return float(value) if isinstance(value, int | float) else None


def _percentile_ns(measurement: Measurement, metric: str, name: str) -> int | None:
    """The largest of the modes."""
    found = [
        figures.percentiles_ns[name]
        for figures in measurement.figures
        if (figures.metric, figures.phase) == (metric, Phase.MEASURE)
        and name in figures.percentiles_ns
    ]
    return max(found, default=None)


def _growth(times_s: Any, backlog: Any) -> float | None:
    """Slope of the backlog in signals/s, by least squares."""
    if len(times_s) < 3:
        return None
    return round(float(np.polyfit(times_s, backlog, 1)[0]), 3)


def _reasons(judgement: Judgement) -> Iterator[str]:
    for check in judgement.reasons:
        if not check.status.is_clean:
            yield f"{check.name}: {check.message}"


def _shared_facts(folder: RunFolder) -> dict[str, Any]:
    found = folder.read_json(folder.stack).get("shared") if folder.stack.exists() else None
    return found if isinstance(found, dict) else {}


def _services(
    folder: RunFolder,
    t0_ns: int,
    stretches_ns: tuple[tuple[int, int], ...],
    sent_until_ns: int | None,
) -> tuple[ServiceUse, ...]:
    """What each service used while signals were due, and the host."""
    telemetry = read_telemetry_file(folder.telemetry, t0_ns)
    start_ns, end_ns = stretches_ns[0][0], stretches_ns[-1][1]
    if sent_until_ns is not None:
        end_ns = min(end_ns, sent_until_ns)
    span = (start_ns / NS_PER_S, end_ns / NS_PER_S)
    if span[1] <= span[0]:
        return ()
    names = {
        series.name.removeprefix("service.").rpartition(".")[0]
        for series in telemetry.of("service.")
        if series.name.endswith(".cpu_cores")
    }
    uses = [_use(telemetry, name, span) for name in sorted(names)]
    cores, limit = _figures(telemetry, "host.busy_cores", span)[::2]
    if cores is not None:
        uses.append(ServiceUse(name="host", cpu_cores=cores, cpu_limit_cores=limit))
    return tuple(uses)


def _use(telemetry: Telemetry, name: str, span: tuple[float, float]) -> ServiceUse:
    cpu, _, cpu_limit = _figures(telemetry, f"service.{name}.cpu_cores", span)
    _, memory, memory_limit = _figures(telemetry, f"service.{name}.memory_bytes", span)
    return ServiceUse(
        name=name,
        cpu_cores=cpu,
        cpu_limit_cores=cpu_limit,
        memory_bytes=memory,
        memory_limit_bytes=memory_limit,
    )


def _figures(
    telemetry: Telemetry, name: str, span: tuple[float, float]
) -> tuple[float | None, float | None, float | None]:
    """Mean, largest value and limit of a series in a span; None where it covers too little."""
    piece = slice_series(telemetry.time_series.get(name), (span,), telemetry.every_s)
    if piece is None:
        return None, None, None
    return round(piece.mean, 4), piece.peak, piece.series.limit
