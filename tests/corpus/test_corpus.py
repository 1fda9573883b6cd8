"""Every stored run has the result that it had when it was recorded."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.corpus import archive, expected
from tests.corpus.observed import observed

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schema" / "result-2.json"
BYTES_MAX = 6_000_000
RUN_BYTES_MAX = 400_000


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    """The published form of a result."""
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", archive.names())
def test_stored_run_comes_to_the_same(
    name: str, schema: Draft202012Validator, tmp_path: Path
) -> None:
    """Verdict, checks, figures and answers; and each result that is stored is of the schema."""
    recorded = expected.read(name)
    folder = archive.unpack(name, tmp_path)
    found = expected.plain(observed(folder, on_demand=recorded.on_demand))
    assert list(expected.differences(recorded.outcome, found)) == []
    for plan in folder.rglob("plan.json"):
        result = plan.with_name("result.json")
        if result.exists():
            document = json.loads(result.read_text(encoding="utf-8"))
            schema.validate(document)
            assert document["run_id"] == plan.parent.name
    if found["kind"] == "run":
        document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        assert document["verdict"] == recorded.outcome["verdict"]


def test_each_run_has_its_expectation_and_the_corpus_is_small() -> None:
    """No document without a run; every one says what it shows."""
    sizes = {path.name: path.stat().st_size for path in archive.RUNS.iterdir()}
    assert sum(sizes.values()) < BYTES_MAX
    assert {name: size for name, size in sizes.items() if size > RUN_BYTES_MAX} == {}
    assert sorted(path.stem for path in archive.EXPECTED.iterdir()) == archive.names()
    assert all(expected.read(name).shows for name in archive.names())


@pytest.mark.parametrize(
    ("name", "kind"), [("../x", tarfile.REGTYPE), ("/x", tarfile.REGTYPE), ("x", tarfile.SYMTYPE)]
)
def test_an_archive_stays_within_its_place(
    name: str, kind: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path out of it, or a link, is refused."""
    monkeypatch.setattr(archive, "RUNS", tmp_path)
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as bad:
        entry = tarfile.TarInfo(name)
        entry.type = kind
        bad.addfile(entry)
    (tmp_path / "place").mkdir()
    with pytest.raises(ValueError, match=r"outside of the run|neither a file"):
        archive.unpack("bad", tmp_path / "place")


def test_every_difference_is_reported() -> None:
    """Values, types, lengths and order; floats only beyond what libraries differ by."""
    document = {"a": [["p99", 1, 0.5], ["max", 2, None]], "b": {"c": 1, "d": 2}}
    assert list(expected.differences(document, {**document})) == []
    near = {**document, "a": [["p99", 1, 0.5 + 1e-12], ["max", 2, None]]}
    assert list(expected.differences(document, near)) == []
    for changed in (
        {**document, "a": [["p99", 1, 0.51], ["max", 2, None]]},
        {**document, "a": [["p99", 1.0, 0.5], ["max", 2, None]]},
        {**document, "a": [["p99", 1, 0.5]]},
        {**document, "a": [["max", 2, None], ["p99", 1, 0.5]]},
        {**document, "b": {"d": 2, "c": 1}},
        {**document, "b": {"c": 1}},
    ):
        assert list(expected.differences(document, changed))
