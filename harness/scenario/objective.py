"""Grammar of objectives (`p99 < 500 ms`, `stage peak lite p99.9 < 80 ms`) and their entries.

An entry of a scenario is the text of an objective, or a table that may end a run early.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from harness.clock import NS_PER_MS, NS_PER_S
from harness.scenario.objective_metrics import (
    OBJECTIVE_METRICS,
    Form,
    ObjectiveMetric,
    grammar,
    metrics_of,
)

_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_TIME = rf"(?P<value>{_NUMBER})\s*(?P<unit>us|ms|s|min|m)"
_DURATION = re.compile(
    r"^(?:stage\s+(?P<stage>\S+)\s+)?(?:(?P<mode>lite|full)\s+)?(?P<rank>p\S+|max)"
    rf"(?:\s+of\s+(?P<metric>{metrics_of(Form.PERCENTILE)}))?"
    rf"(?:\s+over\s+any\s+(?P<window>{_NUMBER})\s*(?P<window_unit>ms|s|min|m))?"
    rf"\s*<\s*{_TIME}(?P<outside>\s+outside\s+faults)?$"
)
_SIMPLE = {
    form: re.compile(rf"^(?P<metric>{metrics_of(form)})\s*{limit}$")
    for form, limit in (
        (
            Form.RECOVERY,
            rf"(?:over\s+any\s+(?P<window>{_NUMBER})\s*(?P<window_unit>ms|s|min|m)\s*)?<\s*{_TIME}"
            r"(?:\s+after\s+stage\s+(?P<stage>\S+))?",
        ),
        (Form.GROWTH, rf"<\s*(?P<value>{_NUMBER})\s*(?P<unit>kB|MB|GB)\s*/\s*h"),
        (Form.SHARE_BELOW, rf"<\s*(?P<value>{_NUMBER})\s*%"),
        (Form.SHARE_REACHED, rf">=\s*(?P<value>{_NUMBER})\s*%"),
    )
}
_RANK = re.compile(r"^p(?:0|[1-9][0-9]?)(?:\.[0-9]{1,9})?$")
# Decimal multiples, as the International System of Units has them.
_BYTES = {"kB": 1e3, "MB": 1e6, "GB": 1e9}
_NS = {"us": 1_000, "ms": NS_PER_MS, "s": NS_PER_S, "min": 60 * NS_PER_S, "m": 60 * NS_PER_S}
# What a limit without a unit, or with another sign, may mean.
_MEANT = (("", " ms"), ("", " s"), ("", " %"), ("", " MB/h"), ("<=", "<"), (">", ">="))

# The range of the histograms: no limit outside of it can be judged.
LIMIT_MIN_NS = 1_000
LIMIT_MAX_NS = 3_600 * NS_PER_S

WINDOW_MIN_NS = NS_PER_S
# Windows move in equal steps of whole milliseconds.
WINDOW_STEP_NS = 100 * NS_PER_MS
# Of a recovery after a stage: from 20 signals/s on such a window has a P99.
STAGE_RECOVERY_WINDOW_NS = 5 * NS_PER_S

GRAMMAR = grammar()


@dataclass(frozen=True, slots=True)
class Objective:
    """One limit for the measurement.

    Attributes:
        text: as written in the scenario.
        metric: the name of the measured figure, of `OBJECTIVE_METRICS`.
        percentile: 0 < percentile < 100, or 100 for `max`; None for other metrics.
        mode: `lite`, `full`, or None for all signals.
        limit_ns: upper limit of a duration; None for shares.
        limit_share: limit of a share, 0..1; None for durations.
        limit_bytes_per_h: upper limit of a growth; None for other metrics.
        window_ns: length of the windows that are judged one by one; None for the whole phase.
        stage: name or number, from 1, of its stage, or of the stage before a recovery; None for
            the whole phase.
        outside_faults: whether it covers only signals outside of fault windows.
    """

    text: str
    metric: str
    percentile: float | None = None
    mode: Literal["lite", "full"] | None = None
    limit_ns: int | None = None
    limit_share: float | None = None
    limit_bytes_per_h: float | None = None
    window_ns: int | None = None
    stage: str | None = None
    outside_faults: bool = False

    @property
    def measures(self) -> ObjectiveMetric:
        """The measured figure."""
        return OBJECTIVE_METRICS[self.metric]

    @property
    def is_latency_percentile(self) -> bool:
        """Whether it limits a percentile, or the maximum, of latency."""
        return self.metric == "latency" and self.percentile is not None

    @property
    def is_stage_recovery(self) -> bool:
        """Whether it limits the recovery after a stage."""
        return self.metric == "recovery" and self.stage is not None

    @property
    def is_system_duration(self) -> bool:
        """Whether it limits a percentile, or the maximum, of a duration that the system decides."""
        return self.percentile is not None and self.measures.of_system

    @property
    def is_estimated(self) -> bool:
        """Whether a confidence interval decides it, which more signals make narrower."""
        return self.measures.is_estimated and self.window_ns is None and self.percentile != 100.0


def parse_objective(text: str) -> Objective:
    """Read one objective.

    Raises:
        ValueError: with the error and the grammar.
    """
    line = " ".join(text.split())
    if (found := _parsed(line)) is not None:
        return found
    if meant := _meant(line):
        raise ValueError(f"{text!r} is not an objective; did you mean {meant!r}?")
    raise ValueError(f"{text!r} is not an objective; write {GRAMMAR}")


def _parsed(line: str) -> Objective | None:
    if match := _DURATION.match(line):
        return _duration(line, match)
    for form, pattern in _SIMPLE.items():
        if match := pattern.match(line):
            return _simple(line, form, match)
    return None


def _meant(line: str) -> str:
    """The nearest objective where only a unit is missing, or the sign is another one."""
    for wrong, right in _MEANT:
        if wrong and wrong not in line:
            continue
        found = line.replace(wrong, right, 1) if wrong else line + right
        with suppress(ValueError):
            if _parsed(found) is not None:
                return found
    return ""


def _simple(line: str, form: Form, match: re.Match[str]) -> Objective:
    metric, value = match["metric"], match["value"]
    if form is Form.RECOVERY:
        return _recovery(line, match)
    if form is Form.GROWTH:
        limit_bytes_per_h = float(value) * _BYTES[match["unit"]]
        if limit_bytes_per_h == 0:
            raise ValueError("a growth < 0 never holds: write the largest that is allowed")
        return Objective(text=line, metric=metric, limit_bytes_per_h=limit_bytes_per_h)
    limit = _share_below(value) if form is Form.SHARE_BELOW else _share_reached(value)
    return Objective(text=line, metric=metric, limit_share=limit)


def _recovery(line: str, match: re.Match[str]) -> Objective:
    window_ns = None
    if match["stage"] is not None:
        window_ns = STAGE_RECOVERY_WINDOW_NS
        if match["window"] is not None:
            window_ns = _window(_ns(match["window"], match["window_unit"]))
    elif match["window"] is not None:
        raise ValueError(
            "'over any ...' needs 'after stage NAME': after a fault nothing is averaged"
        )
    return Objective(
        text=line,
        metric=match["metric"],
        limit_ns=_limit(match["value"], match["unit"]),
        window_ns=window_ns,
        stage=match["stage"],
    )


def _duration(line: str, match: re.Match[str]) -> Objective:
    percentile = _percentile(match["rank"])
    window_ns = None
    if match["window"] is not None:
        window_ns = _window(_ns(match["window"], match["window_unit"]))
        if percentile == 100:
            raise ValueError("the max over any window is the max: leave out 'over any ...'")
        if match["stage"] is not None:
            raise ValueError("write either 'stage ...' or 'over any ...', not both")
    if match["outside"] is not None and (window_ns is not None or match["stage"] is not None):
        raise ValueError("'outside faults' covers the whole load: no stage, no 'over any ...'")
    return Objective(
        text=line,
        metric=match["metric"] or "latency",
        percentile=percentile,
        mode=match["mode"],  # type: ignore[arg-type]  # the pattern allows only these values
        limit_ns=_limit(match["value"], match["unit"]),
        window_ns=window_ns,
        stage=match["stage"],
        outside_faults=match["outside"] is not None,
    )


def _percentile(rank: str) -> float:
    if rank == "max":
        return 100.0
    value = float(rank[1:]) if _RANK.match(rank) else 0.0
    if not value:
        raise ValueError(
            f"unknown percentile {rank!r}: write p50, p99, p99.9 (digits 0-9, 0 < p < 100) or max"
        )
    return value


def _window(window_ns: int) -> int:
    if window_ns < WINDOW_MIN_NS or window_ns % WINDOW_STEP_NS:
        raise ValueError("a window is at least 1 s long, and a multiple of 0.1 s")
    return window_ns


def _ns(value: str, unit: str) -> int:
    return round(float(value) * _NS[unit])


def _limit(value: str, unit: str) -> int:
    limit_ns = _ns(value, unit)
    if limit_ns < LIMIT_MIN_NS:
        raise ValueError(f"< {value} {unit} never holds: a limit is at least 1 us")
    if limit_ns > LIMIT_MAX_NS:
        raise ValueError(f"{value} {unit} is beyond the longest duration that is measured, 3600 s")
    return limit_ns


def _share_below(text: str) -> float:
    """An upper limit of a share."""
    value = _share(text)
    if value == 0:
        raise ValueError("a share < 0 % never holds: write the largest that is allowed, < 0.1 %")
    if value == 1:
        raise ValueError("a share < 100 % is no limit: one other signal is enough")
    return value


def _share_reached(text: str) -> float:
    """A lower limit of a share."""
    value = _share(text)
    if value == 0:
        raise ValueError("a share >= 0 % is no limit: it always holds")
    return value


def _share(text: str) -> float:
    value = float(text) / 100
    if value > 1:
        raise ValueError(f"{text} % is more than all of them")
    return value


def _readable(text: str) -> str:
    parse_objective(text)
    return text


ObjectiveText = Annotated[str, AfterValidator(_readable)]


class SLO(BaseModel):
    """An objective, and whether its failure ends the load early.

    Attributes:
        abort_on_fail: whether the load ends as soon as it has failed for certain.
        abort_delay_s: seconds after the warm-up before it is checked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    objective: ObjectiveText
    abort_on_fail: bool = False
    abort_delay_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0

    @model_validator(mode="after")
    def _can_abort(self) -> SLO:
        if not self.abort_on_fail:
            if self.abort_delay_s:
                raise ValueError("abort_delay_s needs abort_on_fail = true")
            return self
        objective = self.parsed
        known_late = objective.stage is not None or objective.outside_faults
        if not objective.is_latency_percentile or known_late:
            raise ValueError(
                f"abort_on_fail is for percentiles and max of latency, not {objective.text!r}"
            )
        return self

    @property
    def parsed(self) -> Objective:
        """The parsed objective."""
        return parse_objective(self.objective)


def _form(given: Any) -> str:
    return "table" if isinstance(given, (dict, SLO)) else "text"


ObjectiveEntry = Annotated[
    Annotated[ObjectiveText, Tag("text")] | Annotated[SLO, Tag("table")],
    Discriminator(_form),
]


def parse_slo(entry: str | SLO) -> SLO:
    """An entry of `objectives`, a text or a table."""
    return entry if isinstance(entry, SLO) else SLO(objective=entry)
