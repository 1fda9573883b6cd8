"""Documents of schema 1, of a run or a group, as documents of schema 2.

Schema 1 names a check by its title alone, and says in the message that a check did not apply. Only
this module reads that text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.judge.check import CheckKind, NotApplicable
from harness.judge.judgement import CHECK_CRASHED, unique_ids
from harness.judge.scope import objective_id
from harness.judge.verdict import Status
from harness.scenario.objective import parse_objective

Document = dict[str, Any]

# The id of each check that is no objective of the scenario, by its title in schema 1.
IDS: Mapping[str, str] = {
    "signals reach SIMULATED": "signals_simulated",
    "final by the drain deadline": "drain_deadline",
    "no signal lost": "signals_lost",
    "no effect twice": "effects_duplicated",
    "nothing unexpected": "effects_unexpected",
    "table agrees with what was seen": "final_rows_match",
    "ledger balanced": "ledger_balanced",
    "FSM transitions legal": "fsm_transitions",
    "nonces contiguous and unique": "nonces_contiguous",
    "signals of an agent keep their order": "nonce_order",
    "stale data refused": "stale_refused",
    "stale data refused in time": "stale_refused_in_time",
    "RPC node that lies behind left": "stale_node_avoided",
    "ledger books what was asked": "ledger_amounts",
    "row stamps agree with commits": "row_timestamps",
    "modes told as they were": "mode_counters",
    "nothing left in the stream": "stream_drained",
    "nothing trimmed unread": "stream_trimmed",
    "stream took what was acknowledged": "stream_entries_added",
    "events of the dead taken over": "pending_takeover",
    "backups kept and restored": "backups_restored",
    "gate: rounds held their invariants": "gate_invariants",
    "signals were sent": "signals_sent",
    "warm-up warmed up": "warmup_effective",
    "nothing unplanned happened": "unplanned_events",
    "events as every file tells them": "events_consistent",
    "faults proven and healed": "faults_proven",
    "gate: played as planned, and its node released": "gate_execution",
    "agents in their pool": "agent_pool",
    "ended early for a reason": "abort_justified",
    "quotas in force": "quotas_enforced",
    "watched to the end": "observation_complete",
    "generator on time (P99)": "generator_lag_p99",
    "generator on time (P99.9)": "generator_lag_p99_9",
    "load as asked": "load_attempted",
    "histograms hold every value": "histogram_range",
    "observer kept up": "observer_delay",
    "words follow commits": "reports_after_commit",
    "observer saw to the end": "observer_complete",
    "final state read": "final_state_read",
    "clocks steady": "clock_stable",
    "clocks probed around the load": "clock_probed",
    "no time runs backwards": "durations_nonnegative",
    "vitals kept": "self_monitoring_complete",
    "generator had its core": "generator_cpu",
    "generator awake": "generator_stalls",
    "observer had its core": "observer_cpu",
    "observer awake": "observer_stalls",
    "cores not taken away": "cpu_steal",
    "host resources free": "host_interference",
    "evidence complete": "evidence_complete",
    "evidence agrees with itself": "evidence_consistent",
    "journal follows the plan": "journal_matches_plan",
    "stack as it was told": "stack_consistent",
    "evidence as it was sealed": "evidence_sealed",
    "result stored": "result_stored",
    "every run was made": "group_runs_complete",
    "runs are alike": "group_runs_comparable",
    "group as it was sealed": "group_sealed",
}
_CRASHED = "check of "
_NOT_JUDGED = "not judged: "
_CONTRACT = "the contract names no "
_OBJECTIVE = re.compile(r"(?P<text>.*?)(?: \((?P<mode>lite|full)\))?")


def convert_result(document: Mapping[str, Any]) -> Document:
    """The result of a run.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: it is not of schema 1.
    """
    judgement, diagnosis = document["judgement"], document.get("diagnosis")
    return {
        **document,
        "schema_version": 2,
        "judgement": {**judgement, "checks": _checks(judgement["checks"])},
        "diagnosis": None if diagnosis is None else _diagnosis(diagnosis),
    }


def convert_group_result(document: Mapping[str, Any]) -> Document:
    """The result of a group of runs.

    Raises:
        KeyError, TypeError, AttributeError, ValueError: it is not of schema 1.
    """
    old = document["checks"]
    checks = _checks(old)
    ids = {one["name"]: new["id"] for one, new in zip(old, checks, strict=True)}
    runs = [
        {**run, "estimates_ns": {ids.get(key, key): n for key, n in run["estimates_ns"].items()}}
        for run in document["runs"]
    ]
    return {**document, "schema_version": 2, "checks": checks, "runs": runs}


def _checks(old: list[Document]) -> list[Document]:
    checks = [_check(one) for one in old]
    ids = unique_ids([check["id"] for check in checks])
    return [{**check, "id": own} for check, own in zip(checks, ids, strict=True)]


def _check(old: Mapping[str, Any]) -> Document:
    """A check under its title of schema 1."""
    check = {
        **{key: value for key, value in old.items() if key not in ("said", "offenders", "verdict")},
        "status": old["verdict"],
        "message": old["said"],
        "examples": old.get("offenders", []),
        "figures": old.get("figures", {}),
        **_identity(old["name"], old["kind"]),
    }
    if old["verdict"] == Status.PASS and old["said"].startswith(_NOT_JUDGED):
        check["message"] = old["said"].removeprefix(_NOT_JUDGED)
        by_contract = check["message"].startswith(_CONTRACT)
        reason = NotApplicable.CONTRACT if by_contract else NotApplicable.UNSPECIFIED
        check["status"] = Status.NOT_APPLICABLE.value
        check["figures"] = {"reason": reason.value, **check["figures"]}
    if check["id"] == CHECK_CRASHED.id:
        check["figures"] = {"check": old["name"].removeprefix(_CRASHED), **check["figures"]}
    return check


def _identity(title: str, kind: str) -> Document:
    """Id of a check; of an objective of the scenario also its text and mode."""
    own = CHECK_CRASHED.id if title.startswith(_CRASHED) else IDS.get(title)
    if own is not None:
        return {"id": own}
    match = _OBJECTIVE.fullmatch(title)
    if kind != CheckKind.OBJECTIVE or match is None:
        raise ValueError(f"schema 1 has no check {title!r}")
    objective = parse_objective(match["text"])
    mode = match["mode"] or objective.mode or ""
    return {
        "id": objective_id(objective, mode),
        "objective": objective.text,
        "mode": mode,
    }


def _diagnosis(old: Mapping[str, Any]) -> Document:
    return {**old, "questions": _answers(old["questions"]), "remarks": _answers(old["remarks"])}


def _answers(old: list[Document]) -> list[Document]:
    return [
        {
            **_with_message(one),
            "evidence": [_with_message(fact) for fact in one.get("evidence", [])],
        }
        for one in old
    ]


def _with_message(old: Mapping[str, Any]) -> Document:
    return {("message" if key == "said" else key): value for key, value in old.items()}
