"""Whether a disturbance reaches the system: decided from pairs of blocks, with and without it.

ISOLATED needs proof on every side: that the disturbance had force in each of its blocks, that the
run is valid and clean, that the objective is met in the treatment blocks, and that the change of
the P99 is, with 95 % confidence, below a margin named beforehand. An absence of evidence is no
isolation: a wide interval is CANNOT_TELL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.analysis.paired_blocks import TreatmentEffect, estimate_effect, pairs_needed
from harness.assessment.isolation_result import (
    BlockFigures,
    ChangeFigures,
    ContentionFigures,
    IsolationJudgement,
    IsolationOutcome,
)
from harness.formatting import format_duration
from harness.judge.check import Check, CheckKind
from harness.judge.judgement import Judgement
from harness.judge.objectives import SIGNALS_SIMULATED
from harness.judge.verdict import Status

# Of fewer the P99 is the longest of all.
SIGNALS_MIN = 100


@dataclass(frozen=True, slots=True)
class IsolationEvidence:
    """Everything that is decided from.

    Attributes:
        baseline_p99_ns, treatment_p99_ns: of all blocks of a kind together; None of no signal.
        expected_failures: ids of checks that the experiment itself breaks, with the reason.
        full_p99_ns: of the signals simulated in full, in baseline and treatment blocks; None of
            none.
        lingering_s: starts of the baseline blocks in whose counted part a disturbance was in force.
        lateness_limit_ns: a generator later than this measures itself.
        contention: of the host's cores; None without telemetry.
    """

    blocks: tuple[BlockFigures, ...]
    baseline_p99_ns: int | None
    treatment_p99_ns: int | None
    margin_ns: int
    limit_ns: int
    lateness_limit_ns: int
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    contention: ContentionFigures | None = None
    lingering_s: tuple[float, ...] = ()
    full_p99_ns: tuple[int | None, int | None] = (None, None)


def judge_isolation(found: IsolationEvidence, judgement: Judgement) -> IsolationJudgement:
    """Decide; the same evidence always gives the same outcome.

    Args:
        found: the blocks.
        judgement: of the run that they are parts of.
    """
    differences = _differences(found.blocks)
    change = estimate_effect(differences) if differences else None
    reasons = [
        *_against(found, judgement, change),
        *_doubts(found, judgement, change, differences),
    ]
    outcome = min(
        (outcome for outcome, _ in reasons),
        key=list(IsolationOutcome).index,
        default=IsolationOutcome.ISOLATED,
    )
    because = tuple(message for own, message in reasons if own is outcome)
    on_purpose = tuple(f"on purpose: {message}" for message in found.expected_failures.values())
    if outcome is IsolationOutcome.ISOLATED and change is not None:
        because = (
            f"the P99 changes by {format_duration(change.estimate_ns)}, at most"
            f" {format_duration(change.upper_ns)} at 95 %, which is within the margin of"
            f" {format_duration(found.margin_ns)}",
        )
    return IsolationJudgement(
        outcome=outcome,
        exit_code=int(outcome.exit_code),
        because=(*because, *_format_contention(found.contention), *on_purpose),
        margin_ns=found.margin_ns,
        limit_ns=found.limit_ns,
        baseline_p99_ns=found.baseline_p99_ns,
        treatment_p99_ns=found.treatment_p99_ns,
        change=None
        if change is None
        else ChangeFigures(
            pairs=change.pairs,
            estimate_ns=change.estimate_ns,
            lower_ns=change.lower_ns,
            upper_ns=change.upper_ns,
        ),
        blocks=found.blocks,
        contention=found.contention,
    )


def _format_contention(found: ContentionFigures | None) -> Iterator[str]:
    """What the outcome shows: without contention for cores a quota has no effect."""
    if found is None:
        yield "contention for cores is not known: there is no telemetry"
        return
    figures = (
        f"{found.treatment_busy_cores:.2f} of {found.cores:g} cores at work under the disturbance"
        f" ({found.baseline_busy_cores:.2f} without it), the services ready and without a core"
        f" {found.treatment_waited_cores:.2f} s in each second ({found.baseline_waited_cores:.2f})"
    )
    if found.is_fought_over:
        yield f"there was contention for cores: {figures}"
    else:
        yield f"there was no contention for cores, so the outcome does not cover it: {figures}"


def _against(
    found: IsolationEvidence, judgement: Judgement, change: TreatmentEffect | None
) -> Iterator[tuple[IsolationOutcome, str]]:
    for check in judgement.of(CheckKind.INTEGRITY):
        if check.status is Status.FAIL:
            yield IsolationOutcome.NOT_ISOLATED, f"{check.name}: {check.message}"
    if _forceless(found.blocks) or any(_spoils(found, judgement)):
        return  # whatever changed, it was not shown to be the system, or this disturbance
    # Latency is lateness and service, so the P99 of the service is at least that of the latency
    # less the longest lateness: what is left of the change is not the generator's.
    own_ns = max((b.lateness_max_ns or 0 for b in found.blocks if b.is_treatment), default=0)
    late = (
        f", of which the generator's lateness is at most {format_duration(own_ns)}"
        if own_ns
        else ""
    )
    lower_ns = change.lower_ns if change is not None else None
    if change is not None and lower_ns is not None and lower_ns - own_ns > found.margin_ns:
        yield (
            IsolationOutcome.NOT_ISOLATED,
            f"the P99 is {format_duration(change.estimate_ns)} later under the disturbance, at"
            f" least {format_duration(lower_ns)} at 95 %{late}, which is beyond the margin of"
            f" {format_duration(found.margin_ns)}",
        )
    baseline_ns, treatment_ns = found.baseline_p99_ns, found.treatment_p99_ns
    if baseline_ns is None or treatment_ns is None:
        return
    if baseline_ns < found.limit_ns <= treatment_ns - own_ns:
        yield (
            IsolationOutcome.NOT_ISOLATED,
            f"the P99 under the disturbance is {format_duration(treatment_ns)}{late};"
            f" the limit is {format_duration(found.limit_ns)},"
            f" and without it it is {format_duration(baseline_ns)}",
        )


def _doubts(
    found: IsolationEvidence,
    judgement: Judgement,
    change: TreatmentEffect | None,
    differences: Sequence[int],
) -> Iterator[tuple[IsolationOutcome, str]]:
    for check in (*_spoils(found, judgement), *_unclean(judgement)):
        yield IsolationOutcome.CANNOT_TELL, f"{check.name}: {check.message}"
    if forceless := _forceless(found.blocks):
        yield (
            IsolationOutcome.CANNOT_TELL,
            f"the disturbance was not shown to have force in {len(forceless)} of"
            f" {sum(block.is_treatment for block in found.blocks)} blocks, first at"
            f" {forceless[0].start_s:.0f} s",
        )
    if late := _late(found):
        worst = max(late, key=lambda block: block.lateness_p99_ns or 0)
        yield (
            IsolationOutcome.CANNOT_TELL,
            f"the generator itself was late in {len(late)} of {len(found.blocks)} blocks"
            f" (P99 {format_duration(worst.lateness_p99_ns)} at {worst.start_s:.0f} s, at most"
            f" {format_duration(found.lateness_limit_ns)} may be): the disturbance reached it,"
            " and on this host its share cannot be separated from the system's",
        )
    if few := [block for block in found.blocks if block.signals < SIGNALS_MIN]:
        yield (
            IsolationOutcome.CANNOT_TELL,
            f"{len(few)} of {len(found.blocks)} blocks hold fewer than {SIGNALS_MIN} signals that"
            f" count, first at {few[0].start_s:.0f} s ({few[0].signals}), of which there is no P99",
        )
    full_baseline_ns, full_treatment_ns = found.full_p99_ns
    if (
        full_treatment_ns is not None
        and full_treatment_ns - (full_baseline_ns or 0) > found.margin_ns
    ):
        yield (
            IsolationOutcome.CANNOT_TELL,
            f"of signals that are simulated in full the P99 is {format_duration(full_treatment_ns)}"
            f" under the disturbance and {format_duration(full_baseline_ns)} without;"
            " pairs compare the others only",
        )
    if found.lingering_s:
        yield (
            IsolationOutcome.CANNOT_TELL,
            f"a disturbance was still in force in {len(found.lingering_s)} baseline blocks,"
            f" first at {found.lingering_s[0]:.0f} s: they are no measure of the time without it",
        )
    if found.treatment_p99_ns is not None and found.treatment_p99_ns >= found.limit_ns:
        yield (
            IsolationOutcome.CANNOT_TELL,
            f"the P99 under the disturbance is {format_duration(found.treatment_p99_ns)},"
            f" the limit is {format_duration(found.limit_ns)}",
        )
    if found.baseline_p99_ns is not None and found.baseline_p99_ns >= found.limit_ns:
        yield (
            IsolationOutcome.CANNOT_TELL,
            f"the P99 is {format_duration(found.baseline_p99_ns)} without any disturbance,"
            f" the limit is {format_duration(found.limit_ns)}: this host cannot show isolation",
        )
    yield from _imprecise(found, change, differences)


def _spoils(found: IsolationEvidence, judgement: Judgement) -> Iterator[Check]:
    """What makes the run invalid, such as a generator that was starved itself."""
    for check in judgement.of(CheckKind.VALIDITY):
        if not check.status.is_clean and check.id not in found.expected_failures:
            yield check


def _unclean(judgement: Judgement) -> Iterator[Check]:
    """Integrity that was not proven, and objectives that were missed or are lacking.

    A signal that the engine rejects is not compared: one that rejects whatever is slow has a good
    P99, so a share that is open is a doubt. Percentiles of the whole run that are open are another
    matter, since blocks decide here.
    """
    for check in judgement.of(CheckKind.INTEGRITY):
        if not check.status.is_clean and check.status is not Status.FAIL:
            yield check
    for check in judgement.of(CheckKind.OBJECTIVE):
        if check.status is Status.FAIL or (
            (check.id == SIGNALS_SIMULATED.id or "limit_share" in check.figures)
            and not check.status.is_clean
        ):
            yield check


def _imprecise(
    found: IsolationEvidence, change: TreatmentEffect | None, differences: Sequence[int]
) -> Iterator[tuple[IsolationOutcome, str]]:
    if change is not None and change.upper_ns is not None and change.upper_ns <= found.margin_ns:
        return
    needed = pairs_needed(differences, found.margin_ns) if differences else None
    more = "" if needed is None else f"; about {needed} pairs would decide"
    if change is None or change.lower_ns is None or change.upper_ns is None:
        yield (
            IsolationOutcome.CANNOT_TELL,
            f"{len(differences)} pairs are too few for an interval{more}",
        )
    elif change.lower_ns <= found.margin_ns:
        yield (
            IsolationOutcome.CANNOT_TELL,
            f"the change of the P99 lies between {format_duration(change.lower_ns)} and"
            f" {format_duration(change.upper_ns)} at 95 %,"
            f" the margin of {format_duration(found.margin_ns)} between them{more}",
        )


def _differences(blocks: Sequence[BlockFigures]) -> list[int]:
    """Treatment minus baseline, of each complete pair."""
    pairs: dict[int, dict[bool, int]] = {}
    for block in blocks:
        if block.p99_ns is not None:
            pairs.setdefault(block.pair, {})[block.is_treatment] = block.p99_ns
    return [own[True] - own[False] for _, own in sorted(pairs.items()) if len(own) > 1]


def _late(found: IsolationEvidence) -> list[BlockFigures]:
    return [b for b in found.blocks if (b.lateness_p99_ns or 0) > found.lateness_limit_ns]


def _forceless(blocks: Sequence[BlockFigures]) -> list[BlockFigures]:
    return [block for block in blocks if block.is_treatment and not block.force]
