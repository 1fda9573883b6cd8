"""Results of schema 1, as released code stored them, are read as the judgement of today."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.analysis.measurement import Measurement
from harness.assessment.assess import assess
from harness.assessment.group_result import read_group_result
from harness.assessment.result import ResultOutdatedError, read_result, read_unverified
from harness.assessment.result_v1 import convert_result
from harness.evidence.group_folder import GroupFolder
from harness.evidence.run_folder import RunFolder
from harness.experiments.repeat import judge_again
from harness.judge.check import Check
from harness.judge.verdict import Status
from tests.corpus import archive

STORED = archive.HERE / "schema_1"
RUNS = sorted(
    path.name.removesuffix(".json.gz") for path in STORED.iterdir() if "group" not in path.name
)
SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schema"


def document_of(name: str) -> dict[str, Any]:
    """What the released code stored of a run of the corpus."""
    found: dict[str, Any] = json.loads(gzip.decompress((STORED / f"{name}.json.gz").read_bytes()))
    return found


def validator(version: int) -> Draft202012Validator:
    """The published form of a version."""
    text = (SCHEMAS / f"result-{version}.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(text))


def facts(check: Check) -> tuple[object, ...]:
    """What schema 1 has of a check besides title and message."""
    figures = {key: n for key, n in check.figures.items() if key not in ("reason", "missing")}
    identity = (check.id, check.kind, check.status, check.objective, check.mode)
    return (*identity, figures, len(check.examples), bool(check.hint))


def stored(name: str, tmp_path: Path) -> Path:
    """The folder of a run with its result of schema 1."""
    folder = archive.unpack(name, tmp_path)
    (folder / "result.json").write_bytes(gzip.decompress((STORED / f"{name}.json.gz").read_bytes()))
    return folder


def without_stages(measurement: Measurement) -> Measurement:
    """A measurement as it was stored before it had the stages of the load."""
    seconds = [
        one.model_copy(update={"stage": None, "agents": None}) for one in measurement.seconds
    ]
    return measurement.model_copy(update={"seconds": tuple(seconds), "stages": ()})


@pytest.mark.parametrize("name", RUNS)
def test_a_result_of_a_run_is_read_as_todays(name: str, tmp_path: Path) -> None:
    """Ids, statuses and figures of each check, and the measurement; nothing is judged again."""
    folder = RunFolder.open(stored(name, tmp_path))
    found, expected = read_result(folder), assess(folder)
    assert found.schema_version == 2
    assert found.verdict is expected.judgement.verdict
    assert found.measurement == without_stages(expected.measurement)
    assert list(map(facts, found.judgement.checks)) == list(map(facts, expected.judgement.checks))
    assert not any(check.message.startswith("not judged") for check in found.judgement.checks)
    if expected.diagnosis is not None:
        assert found.diagnosis is not None
        assert found.diagnosis.slow == expected.diagnosis.slow


@pytest.mark.parametrize("name", RUNS)
def test_each_document_is_of_its_published_schema(name: str) -> None:
    """The released one of version 1, the converted one of version 2."""
    document = document_of(name)
    validator(1).validate(document)
    validator(2).validate(convert_result(document))


def test_a_group_is_read_as_todays(tmp_path: Path) -> None:
    """Its percentiles are found by id."""
    folder = GroupFolder(stored("group-fail", tmp_path))
    found, expected = read_group_result(folder), judge_again(folder)
    assert list(map(facts, found.checks)) == list(map(facts, expected.checks))
    assert found.runs == expected.runs
    assert all("latency_p90" in run.estimates_ns for run in found.runs)


def test_reasons_that_schema_1_gives_are_kept() -> None:
    """What the contract excludes is distinguished from the rest, which has no reason."""
    checks = convert_result(document_of("pass-no-ledger"))["judgement"]["checks"]
    reasons = {
        one["id"]: one["figures"]["reason"]
        for one in checks
        if one["status"] == Status.NOT_APPLICABLE
    }
    assert reasons["ledger_balanced"] == "contract"
    assert set(reasons.values()) <= {"contract", "unspecified"}


def test_a_crashed_check_names_what_crashed() -> None:
    """The title of schema 1 holds it."""
    document = document_of("pass-no-ledger")
    old = document["judgement"]["checks"][0] | {"name": "check of nonces", "kind": "validity"}
    document["judgement"]["checks"] = [old, old]
    first, second = convert_result(document)["judgement"]["checks"]
    assert (first["id"], first["figures"]["check"]) == ("check_crashed", "nonces")
    assert second["id"] == "check_crashed_2"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("judgement"),
        lambda document: document["judgement"].update(checks=[{"name": "p99 < 5 ms"}]),
        lambda document: document["judgement"].update(checks=7),
        lambda document: document["judgement"]["checks"][0].update(name="no such check"),
        lambda document: document["judgement"]["checks"][0].update(said=None, verdict="PASS"),
        lambda document: document.update(diagnosis={"questions": 1}),
        lambda document: document.update(measurement=[]),
    ],
)
def test_what_is_no_result_of_schema_1_is_outdated(
    spoil: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    """Then the evidence is judged again; no error reaches the reader."""
    folder = RunFolder.open(stored("pass-no-ledger", tmp_path))
    document = document_of("pass-no-ledger")
    spoil(document)
    folder.result.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ResultOutdatedError):
        read_unverified(folder)
