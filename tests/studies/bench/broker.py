"""What a run says of a second foreign system: `python -m tests.studies.bench.broker [word]...`.

The broker of `examples/broker` runs without a defect and with each one of its defects, seen in each
way. A line says the verdict, the check that is red, and whether the signals that it names are
those that the broker harmed. About 20 minutes; words choose ways, defects or `clean`, and others
are options of each run: `polling clean --set load.stages.0.duration_s=5.0`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from examples.broker.broker import DEFECTS
from tests.stack.conftest import running_servers, start_postgres, start_redis
from tests.stack.external_broker import WAYS, Broker
from tests.stack.external_system import Attached

CLEAN = "clean"
LOST, TWICE, TABLE = "signals_lost", "effects_duplicated", "final_rows_match"
NONCES, LEDGER = "nonces_contiguous", "ledger_balanced"
BOOKS, FSM = "ledger_amounts", "fsm_transitions"
UNSEEN, EARLY = "evidence_consistent", "reports_after_commit"
# The checks that must be red: in every way, and in some ways.
FOUND_BY: Mapping[str, tuple[str, ...]] = {
    "lose": (LOST,),
    "double_row": (TWICE,),
    "double_final": (BOOKS,),
    "stuck": (LOST,),
    "nonce_gap": (NONCES,),
    "nonce_reuse": (NONCES,),
    "unbalanced": (LEDGER,),
    "entry_missing": (LEDGER,),
    "accept_stale": ("stale_refused",),
    "silent_reject": ("rejected_share",),
    "phantom": (LOST,),
    "slow": ("latency_p99",),
}
BY_WAY: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("double_final", "logical"): (BOOKS, FSM),
    ("phantom", "notification"): (TABLE,),
    ("phantom", "stream"): (TABLE,),
}
# What may be red besides: a poll may see an order between its two ends; an end that the system
# reports nowhere was not seen; of the words some are held against the table as they come.
BESIDES: Mapping[tuple[str, str], str] = {
    ("double_final", "polling"): FSM,
    ("silent_reject", "notification"): UNSEEN,
    ("silent_reject", "stream"): UNSEEN,
    ("phantom", "notification"): EARLY,
    ("phantom", "stream"): EARLY,
}
# Their checks name no signals, addresses, or the other one of two orders with one nonce.
NAMELESS = frozenset({"nonce_gap", "nonce_reuse", "silent_reject", "slow"})
# Where a host has other work no more is asked, but of the defect that is slow.
PATIENT = ("--set", 'objectives=["p90 < 5 s", "rejected < 1 %"]')
NAMED_MAX, TRACE_CHARS = 20, 36


class Line(NamedTuple):
    """The result of a run."""

    way: str
    defect: str
    verdict: str
    red: tuple[str, ...]
    problems: tuple[str, ...]


def found_by(defect: str, way: str) -> tuple[str, ...]:
    """The checks that must be red."""
    return BY_WAY.get((defect, way), FOUND_BY[defect])


def alarms(run: Attached) -> dict[str, dict[str, Any]]:
    """The checks that are not clean; a percentile without an answer is no alarm."""
    checks = run.result["judgement"]["checks"]
    return {
        check["id"]: check
        for check in checks
        if check["status"] not in ("PASS", "NOT_APPLICABLE")
        and (check["kind"], check["status"]) != ("objective", "INCONCLUSIVE")
    }


def problems_of(run: Attached, way: str, harmed: Mapping[str, set[str]]) -> Iterator[str]:
    """Every defect that was not found, and every alarm without one."""
    red = alarms(run)
    expected: dict[str, set[str]] = {}
    for defect, signals in harmed.items():
        for name in found_by(defect, way):
            if red.get(name, {}).get("status") != "FAIL":
                yield f"{defect}: {name!r} is not red"
            elif defect not in NAMELESS:
                expected[name] = expected.get(name, set()) | signals
    for name, signals in expected.items():
        named = {one for one in red[name]["examples"] if len(one) == TRACE_CHARS}
        if named - signals or len(named) < min(len(signals), NAMED_MAX):
            yield f"{name!r} names {len(named & signals)} of {len(signals)}, {named - signals}"
    due = {name for defect in harmed for name in found_by(defect, way)}
    due |= {BESIDES[defect, way] for defect in harmed if (defect, way) in BESIDES}
    yield from (f"false alarm: {name}: {red[name]['message']}" for name in red.keys() - due)


def lines(
    broker: Broker, ways: Sequence[str], defects: Sequence[str], options: Sequence[str]
) -> Iterator[Line]:
    """A run for each way and defect."""
    for way in ways:
        for defect in defects:
            with tempfile.TemporaryDirectory(prefix="broker-") as folder:
                chosen = () if defect == CLEAN else (defect,)
                asked = () if defect == "slow" else PATIENT
                run, harmed = broker.trade(way, Path(folder), *asked, *options, defects=chosen)
                if run.folder is None:
                    yield Line(way, defect, f"exit {run.code}", (), (run.output,))
                    continue
                problems = tuple(problems_of(run, way, harmed))
                if chosen and not harmed:
                    problems = ("the defect never struck",)
                yield Line(way, defect, run.result["verdict"], tuple(alarms(run)), problems)


def main(words: Sequence[str] = ()) -> int:
    """Print a line a run; 1 if a defect was missed, or an alarm was false."""
    ways = [way for way in WAYS if way in words] or list(WAYS)
    every = [CLEAN, *DEFECTS]
    defects = [defect for defect in every if defect in words] or every
    options = [word for word in words if word not in (*WAYS, *every)]
    wrong = 0
    with running_servers() as servers:
        broker = Broker(start_postgres(servers), start_redis(servers), "broker")
        broker.prepare()
        for line in lines(broker, ways, defects, options):
            wrong += bool(line.problems)
            mark = "; ".join(line.problems) or "ok"
            red = ", ".join(line.red) or "-"
            print(f"{line.way:12} {line.defect:14} {line.verdict:12} {red}  [{mark}]", flush=True)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
