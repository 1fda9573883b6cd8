"""Running a scenario from Python, with the parts that `harness run` uses."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.api.result import Result
from harness.cli.console import make_console
from harness.cli.options import REPORTS, StackKind
from harness.cli.overrides import Edit, as_overrides
from harness.cli.run_command import run_once
from harness.cli.stack_choice import StackChoice
from harness.errors import UsageError, nearest
from harness.process.interrupt import interruptible
from harness.process.sanitize import sanitized
from harness.report.data import read_report_data
from harness.scenario import load_scenario
from harness.scenario.shipped_scenarios import find_scenario
from harness.stack.settings import ROOT


def run(
    scenario: str | Path,
    *,
    stack: str = StackKind.PROCESS,
    objectives: Sequence[str] = (),
    agents: int | None = None,
    rate: float | None = None,
    duration_s: float | None = None,
    until_decided_s: float | None = None,
    seed: int | None = None,
    settings: Sequence[str] = (),
    defects: Sequence[str] = (),
    reports: str | Path = REPORTS,
    contract: str | Path | None = None,
    accept_production: str | None = None,
    image_set: str = "upstream",
    images: Sequence[str] = (),
    agent_containers: int = 0,
    ports: Mapping[str, int] | None = None,
    progress: bool = False,
) -> Result:
    """Run a scenario once and judge it; the options are those of `harness run`.

    Nothing is raised for a verdict other than PASS: `Result.raise_for_verdict` does that.

    Args:
        scenario: file, or a name as `harness scenarios` lists it.
        stack: `process`, `docker` or `attach`.
        objectives: in addition to those of the scenario.
        agents: in every stage.
        rate: signals/s, in every stage.
        duration_s: of the load after the warm-up, all stages together.
        until_decided_s: longest load after the warm-up, while the verdict is undecided.
        seed: of schedule, content and chance.
        settings: any key of the scenario, such as `load.warmup_s=2`.
        defects: of the reference services; see `harness defects`.
        reports: where the folder of the run goes.
        contract: contract file of a system that already runs.
        accept_production: the sentence that a contract of production asks for.
        image_set: of containers.
        images: `ROLE=IMAGE`, of containers.
        agent_containers: in addition to the swarm.
        ports: fixed ports of `redis` and `postgres`.
        progress: whether the progress is printed.

    Raises:
        UsageError: scenario, options, contract and environment do not fit each other.
        StackError: the system could not be started, or was lost.
        EvidenceError: the evidence cannot be written.
        KeyboardInterrupt: after Ctrl-C, when everything that was started has been stopped.
    """
    pairs, edit = as_overrides(
        agents=agents,
        rate=rate,
        duration=duration_s,
        until_decided=until_decided_s,
        seed=seed,
        settings=settings,
        defects=defects,
    )
    asked = load_scenario(find_scenario(Path(scenario)), pairs, _with_objectives(edit, objectives))
    choice = StackChoice(
        _kind(stack),
        image_set,
        images,
        agent_containers,
        ports or {},
        Path(contract) if contract is not None else None,
        accept_production,
    )
    console = make_console() if progress else Console(quiet=True)
    with _interrupts_end_the_run(), sanitized():
        assessment, folder = run_once(asked, Path(reports), choice, ROOT, console)
    # A result that could not be stored is INVALID for that reason, which the evidence does not say.
    data = replace(
        read_report_data(folder),
        measurement=assessment.measurement,
        judgement=assessment.judgement,
        diagnosis=assessment.diagnosis,
    )
    return Result(data)


def _kind(stack: str) -> StackKind:
    try:
        return StackKind(stack)
    except ValueError:
        known = [kind.value for kind in StackKind]
        hint = nearest(stack, known) or ", ".join(known)
        raise UsageError(f"there is no stack {stack!r}", where="stack", hint=hint) from None


def _with_objectives(edit: Edit, objectives: Sequence[str]) -> Edit:
    """The same edit of a scenario's document, and these objectives unless it has them."""

    def both(document: dict[str, Any]) -> None:
        edit(document)
        own = document.get("objectives", [])
        if isinstance(own, list):  # what is no list, the scenario's model reports
            present = {" ".join(one.split()) for one in own if isinstance(one, str)}
            new = dict.fromkeys(" ".join(one.split()) for one in objectives)
            document["objectives"] = [*own, *(one for one in new if one not in present)]

    return both


@contextmanager
def _interrupts_end_the_run() -> Iterator[None]:
    """Let the first SIGINT, SIGTERM or SIGHUP end the run in order, then deliver it to the caller.

    Only the main thread may set handlers of signals; a run in another thread has none.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        with interruptible() as switch:
            yield
    finally:
        if switch.signal_number is not None:
            signal.raise_signal(switch.signal_number)
