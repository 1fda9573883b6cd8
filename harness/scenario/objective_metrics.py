"""What an objective can limit: one entry for each metric, which all other code asks.

The forms of the grammar (`harness/scenario/objective.py`) are shared by metrics; an entry names its
form, its check and what follows from it elsewhere.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Form(StrEnum):
    """How an objective of a metric is written; {metric} stands for its name."""

    PERCENTILE = (
        "[stage NAME] [lite|full] pNN[.N]|max [of {metric}] [over any N s] < N us|ms|s"
        " [outside faults]"
    )
    RECOVERY = "{metric} < N us|ms|s; {metric} [over any N s] < N us|ms|s after stage NAME"
    GROWTH = "{metric} < N kB|MB|GB/h"
    SHARE_BELOW = "{metric} < N %"
    SHARE_REACHED = "{metric} >= N %"


@dataclass(frozen=True, slots=True)
class ObjectiveMetric:
    """A figure that objectives limit.

    Attributes:
        name: as in an objective; for a percentile also the name of a `recorder.Metric`.
        form: how it is written.
        check: `module:function`; the function gets the run and an objective, and returns a check,
            or several.
        meaning: for docs/scenarios.md.
        example: for docs/scenarios.md.
        of_system: whether the system decides it, and not the generator of the load.
        limits_rejections: whether a system that rejects too much misses it.
        is_estimated: whether a confidence interval decides it, which more signals make narrower.
    """

    name: str
    form: Form
    check: str
    meaning: str
    example: str
    of_system: bool = True
    limits_rejections: bool = False
    is_estimated: bool = True

    def load_check(self) -> Callable[[Any, Any], Any]:
        """The function that checks an objective of this metric."""
        module, _, name = self.check.partition(":")
        found: Callable[[Any, Any], Any] = getattr(importlib.import_module(module), name)
        return found


METRICS: tuple[ObjectiveMetric, ...] = (
    ObjectiveMetric(
        "latency",
        Form.PERCENTILE,
        "harness.judge.objectives:check_duration",
        "from the intended time until SIMULATED was observed; the metric if none is named",
        "p99 < 500 ms",
    ),
    ObjectiveMetric(
        "service",
        Form.PERCENTILE,
        "harness.judge.objectives:check_duration",
        "from the sending until SIMULATED was observed",
        "p99 of service < 400 ms",
    ),
    ObjectiveMetric(
        "lateness",
        Form.PERCENTILE,
        "harness.judge.objectives:check_duration",
        "from the intended time until the sending: the generator's own delay",
        "p99 of lateness < 5 ms",
        of_system=False,
        is_estimated=False,
    ),
    ObjectiveMetric(
        "recovery",
        Form.RECOVERY,
        "harness.judge.stage_recovery:check_any_recovery",
        "after each fault or restart, until signals become final again and none is overdue; after a"
        " stage, until the P99 of every window keeps its limit",
        "recovery < 15 s",
        is_estimated=False,
    ),
    ObjectiveMetric(
        "memory_growth",
        Form.GROWTH,
        "harness.judge.growth:check_growth",
        "how fast the memory of each service and of the harness grows",
        "memory_growth < 10 MB/h",
        is_estimated=False,
    ),
    ObjectiveMetric(
        "disk_growth",
        Form.GROWTH,
        "harness.judge.growth:check_growth",
        "how fast the disk space of database, append-only file and evidence grows",
        "disk_growth < 2 GB/h",
        is_estimated=False,
    ),
    ObjectiveMetric(
        "rejected",
        Form.SHARE_BELOW,
        "harness.judge.shares:check_rejected",
        "share of the attempted signals that the engine refused without cause",
        "rejected < 1 %",
        limits_rejections=True,
    ),
    ObjectiveMetric(
        "simulated",
        Form.SHARE_REACHED,
        "harness.judge.shares:check_simulated",
        "share of the attempted signals that reached SIMULATED",
        "simulated >= 99 %",
        limits_rejections=True,
    ),
    ObjectiveMetric(
        "rate",
        Form.SHARE_REACHED,
        "harness.judge.shares:check_rate",
        "share of the intended signals that were sent in their phase",
        "rate >= 99 %",
        of_system=False,
        is_estimated=False,
    ),
)
OBJECTIVE_METRICS = MappingProxyType({one.name: one for one in METRICS})


def metrics_of(form: Form) -> str:
    """The names of the metrics of a form, as alternatives of a pattern or of the grammar."""
    return "|".join(one.name for one in METRICS if one.form is form)


def grammar() -> str:
    """Every form with its metrics."""
    return "; ".join(form.format(metric=metrics_of(form)) for form in Form if metrics_of(form))


def metric_table() -> Iterator[str]:
    """A Markdown table of all metrics."""
    yield "| metric | objective | meaning |"
    yield "|---|---|---|"
    for one in METRICS:
        yield f"| `{one.name}` | `{one.example}` | {one.meaning} |"
