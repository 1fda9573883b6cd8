"""Ctrl-C in the middle of every fault: a run for each kind, broken off, and what it left."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_S
from harness.errors import EvidenceError
from harness.evidence.event_log import read_events
from harness.evidence.fault_log import FaultRecord, read_faults
from harness.evidence.run_folder import RunFolder, scenario_text
from harness.scenario import Scenario
from harness.scenario.fault import Fault
from harness.scenario.fault_registry import FaultSupport, fault_kinds
from harness.scenario.fault_targets import AGENT_PREFIX
from harness.stack.docker.client import connect
from tests.studies.faults.leftovers import Run, Things, format_things, more, take_inventory

ROOT = Path(__file__).resolve().parents[3]
PLAIN = ROOT / "scenarios" / "chaos.toml"
HEAD = (
    "| stack | fault | ended by | moment | in force then | exit code | left over |\n"
    "|---|---|---|---|---|---|---|"
)
_AT_S, _FOR_S, _AFTER_S = 1.0, 60.0, 10.0
_START_MAX_S, _PROOF_MAX_S, _END_MAX_S = 90.0, 20.0, 60.0
# What a fault brings, among all that a run has; the rest is there without one.
_OF_FAULTS = (
    *(
        "rules inside",
        "queues inside",
        "tunnels",
        "hogs",
        "relays",
        "dumps",
        "stopped",
        "frozen groups",
    ),
    *("loop devices", "queues"),
)
# A fault that is a moment: so long after it was due the run is broken off.
_INTO_S = 0.08
_GONE_MAX_S = 20.0
_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Case:
    """A run with one fault, soon and long.

    Attributes:
        name: of the fault, with its target.
        lasts: whether it does; else it is a moment.
    """

    stack: str
    name: str
    lasts: bool
    scenario: Scenario

    @property
    def is_of_agents(self) -> bool:
        """Whether it is done to an agent, of which there are none unless asked for."""
        return self.scenario.fault[0].target.startswith(AGENT_PREFIX)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an interruption left.

    Attributes:
        moment: how far the fault was by then, by the fault's own record.
        then: what the fault had brought by then.
        exit_code: of the harness; None if it did not end.
        left: what was there after `gone_s` and had not been there before the run.
        trouble: why the case proves nothing; empty if it does.
        output: what the run printed.
    """

    case: Case
    number: signal.Signals
    moment: str
    then: Things
    exit_code: int | None
    left: Things
    gone_s: float
    trouble: str = ""
    output: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the fault was under way and nothing is left of it."""
        ended = {signal.SIGINT: (1, 3, 4), signal.SIGKILL: (-signal.SIGKILL,)}[self.number]
        return not self.trouble and not self.left and self.exit_code in ended


def cases(possible: FaultSupport, folders: Iterable[Path], kinds: Iterable[str] = ()) -> list[Case]:
    """A case for each kind of fault that a stack can have.

    It is the last of its kind in the scenarios, since they end with the services that are missed
    most; a kind that no scenario has uses what its model asks for and no more.

    Args:
        possible: what the stack can have.
        folders: of the scenarios.
        kinds: only these; all if there are none.
    """
    plain = tomllib.loads(PLAIN.read_text(encoding="utf-8"))
    found = {kind: (plain, _spare(kind)) for kind in possible.kinds}
    for path in (path for folder in folders for path in sorted(folder.glob("*.toml"))):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        if "agent_containers" in document:  # its faults mean nothing one by one
            continue
        found |= {one["kind"]: (document, one) for one in document.get("fault", ())}
    wanted = (possible.kinds & frozenset(kinds)) or possible.kinds
    return [_case(possible.stack, *found[kind]) for kind in sorted(wanted)]


def _spare(kind: str) -> dict[str, Any]:
    """A fault of a kind with what it must have."""
    model = fault_kinds()[kind]
    guesses = {
        "target": f"{AGENT_PREFIX}1" if model.targets.needs_agents else "engine",
        "peer": "redis",
        "for_s": _FOR_S,
    }
    asked = {name for name, field in model.model_fields.items() if field.is_required()}
    return {"kind": kind} | {name: guesses[name] for name in sorted(asked & guesses.keys())}


def _case(stack: str, document: dict[str, Any], fault: dict[str, Any]) -> Case:
    """The scenario with this fault alone, at its beginning, and load enough around it."""
    own = {key: fault[key] for key in fault if key not in ("times", "every_s", "jitter_s")}
    own["at_s"] = _AT_S
    if "for_s" in own:
        own["for_s"] = _FOR_S
    load = {
        "warmup_s": 1,
        "drain_s": 5,
        # A first run, to learn how long a fault lasts that has no key for it.
        "stages": [{"agents": 10, "rate_from": 40, "duration_s": 10_000}],
    }
    document = {**document, "fault": [own], "load": load, "objectives": ["recovery < 15 s"]}
    (planned,) = Scenario.model_validate(document).planned_faults()
    load["stages"][0]["duration_s"] = _AT_S + planned.for_ns / NS_PER_S + _AFTER_S  # type: ignore[index]
    scenario = Scenario.model_validate(document)
    return Case(stack, _name(scenario.fault[0]), planned.for_ns > 0, scenario)


def _name(fault: Fault) -> str:
    return " ".join(filter(None, (fault.kind, fault.target, str(getattr(fault, "peer", "")))))


def interrupt(case: Case, number: signal.Signals) -> Outcome:
    """Run a case, break it off in the middle of its fault, and count what is left."""
    client = connect() if case.stack == "docker" else None
    api = client.api if client is not None else None
    try:
        with tempfile.TemporaryDirectory(prefix="harness-interrupted-") as place:
            return _interrupt(case, number, Path(place), api)
    finally:
        if client is not None:
            client.close()


def _interrupt(case: Case, number: signal.Signals, place: Path, api: Any) -> Outcome:
    file = place / "interrupted.toml"
    file.write_text(scenario_text(case.scenario), encoding="utf-8")
    before = take_inventory(None, None)
    with (place / "output").open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "harness", "run", str(file)),
                *("--stack", case.stack, "--images", "offline"),
                *("--reports", str(place / "reports")),
                *(("--agent-containers", "1") if case.is_of_agents else ()),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    run = Run(process.pid)
    trouble, then = "", dict[str, frozenset[str]]()
    try:
        trouble = _await(case, process, place / "reports")
        if case.lasts:
            seen = more(take_inventory(run, api), before)
            then = {name: things for name, things in seen.items() if name in _OF_FAULTS}
        else:  # a poll takes longer than many a moment
            run.meet()
    finally:
        sent_ns = time.monotonic_ns()
        process.send_signal(number)
        code = _end_of(process)
    ended = time.monotonic()
    while True:  # bounded by _GONE_MAX_S
        left = more(take_inventory(run, api), before)
        gone_s = time.monotonic() - ended
        if not left or gone_s > _GONE_MAX_S:
            break
        time.sleep(_LOOK_EVERY_S)
    moment = _moment(place / "reports", sent_ns) if number is not signal.SIGKILL else ""
    printed = (place / "output").read_text(encoding="utf-8", errors="replace")
    return Outcome(case, number, moment or "in force", then, code, left, gone_s, trouble, printed)


def _await(case: Case, process: subprocess.Popen[bytes], reports: Path) -> str:
    """Wait until the fault is proven in force, or, a moment, injected; what went wrong."""
    started = time.monotonic()
    due_ns = 0
    while process.poll() is None:
        now = time.monotonic()
        for plan in reports.glob("*/plan.json"):
            t0_ns = RunFolder(plan.parent).read_plan().t0_ns
            due_ns = t0_ns + case.scenario.planned_faults()[0].at_ns
        if due_ns and not case.lasts:
            left_ns = due_ns - time.monotonic_ns()
            time.sleep(max(0.0, left_ns / NS_PER_S + _INTO_S))
            return ""
        for said in _planned_fault_texts(reports) if case.lasts else ():
            return "the probe saw nothing of it" if "saw nothing" in said else ""
        limit_s = _START_MAX_S + (_PROOF_MAX_S if due_ns else 0)
        if now - started > limit_s:
            return f"not under way after {limit_s:.0f} s"
        time.sleep(_LOOK_EVERY_S / 2)
    return f"the run ended by itself with {process.returncode}"


def _planned_fault_texts(reports: Path) -> Iterator[str]:
    for folder in reports.glob("*/"):
        for event in read_events(folder):
            if event.kind == "fault_planned":
                yield event.what


def _end_of(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_END_MAX_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _moment(reports: Path, sent_ns: int) -> str:
    """How far the fault was, by its record; a run that was killed has written none."""
    for path in reports.glob("*/faults.jsonl"):
        try:
            for record in read_faults(path.read_text(encoding="utf-8").splitlines()):
                return _stand(record, sent_ns)
        except EvidenceError:
            return "its record cannot be read"
    return "no record of it"


def _stand(record: FaultRecord, sent_ns: int) -> str:
    if record.injected_ns is None or record.injected_ns > sent_ns:
        return "before it was injected"
    if record.heal_proven_ns is not None and record.heal_proven_ns < sent_ns:
        return "after it was over"
    since_s = (sent_ns - record.injected_ns) / NS_PER_S
    proven = record.proven_ns is not None and record.proven_ns < sent_ns
    return f"{since_s:.1f} s after injection, {'proven' if proven else 'not yet seen'}"


def table(outcomes: Iterable[Outcome]) -> str:
    """A line for each interruption."""
    return "\n".join([HEAD, *(_line(one) for one in outcomes)]) + "\n"


def _line(one: Outcome) -> str:
    gone = "" if one.left or one.gone_s < 1 else f", within {one.gone_s:.0f} s"
    cells = (
        one.case.stack,
        one.case.name,
        {signal.SIGINT: "Ctrl-C", signal.SIGKILL: "`kill -9`"}[one.number],
        one.trouble or one.moment,
        format_things(one.then) if one.case.lasts else "-",
        "none" if one.exit_code is None else str(one.exit_code),
        format_things(one.left) + gone,
    )
    return f"| {' | '.join(cells)} |"
