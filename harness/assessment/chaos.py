"""Rounds of random faults: the figures of each, and the verdict on all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from pydantic import BaseModel, ConfigDict

from harness.judge.grade import Grade
from harness.judge.verdict import Verdict, worst


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RoundFigures(_Value):
    """One round.

    Attributes:
        number: from 1.
        fault: its kind and target.
        first_ns, backlog_ns: its recovery; None where it did not recover, or had nothing to.
        reasons: what was not clean, with the signals that are named.
        grade: of its run; None in results of earlier versions.
    """

    number: int
    run_id: str
    kind: str
    fault: str
    verdict: Verdict
    first_ns: int | None
    backlog_ns: int | None
    lost: int
    duplicated: int
    refused: int
    reasons: tuple[str, ...] = ()
    grade: Grade | None = None


class KindFigures(_Value):
    """All rounds of one fault; None where no round has any."""

    fault: str
    rounds: int
    unclean: int
    first_median_ns: float | None
    first_worst_ns: int | None
    backlog_median_ns: float | None
    backlog_worst_ns: int | None
    lost: int
    duplicated: int
    refused: int


class ChaosResult(_Value):
    """All rounds; the worst verdict wins, and missing rounds are INCONCLUSIVE."""

    verdict: Verdict
    exit_code: int
    planned: int
    rounds: tuple[RoundFigures, ...]
    kinds: tuple[KindFigures, ...]


def build_chaos_result(rounds: Sequence[RoundFigures], planned: int) -> ChaosResult:
    """The result of all rounds; a pure function."""
    verdict = worst(one.verdict for one in rounds)
    if len(rounds) < planned:
        verdict |= Verdict.INCONCLUSIVE
    faults = sorted({one.fault for one in rounds})
    return ChaosResult(
        verdict=verdict,
        exit_code=int(verdict.exit_code),
        planned=planned,
        rounds=tuple(rounds),
        kinds=tuple(_kind(name, [one for one in rounds if one.fault == name]) for name in faults),
    )


def _kind(name: str, rounds: Sequence[RoundFigures]) -> KindFigures:
    first = _known(one.first_ns for one in rounds)
    backlog = _known(one.backlog_ns for one in rounds)
    return KindFigures(
        fault=name,
        rounds=len(rounds),
        unclean=sum(one.verdict is not Verdict.PASS for one in rounds),
        first_median_ns=median(first) if first else None,
        first_worst_ns=max(first, default=None),
        backlog_median_ns=median(backlog) if backlog else None,
        backlog_worst_ns=max(backlog, default=None),
        lost=sum(one.lost for one in rounds),
        duplicated=sum(one.duplicated for one in rounds),
        refused=sum(one.refused for one in rounds),
    )


def _known(values: Iterable[int | None]) -> list[int]:
    return [value for value in values if value is not None]
