"""Whatever is done to stored evidence, the judge does not pass it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.assessment.assess import assess
from harness.errors import EvidenceError
from harness.evidence.manifest import verify_manifest, write_manifest
from harness.evidence.run_folder import RunFolder
from harness.judge.verdict import Verdict
from tests.studies.mutations.mutate import LAYOUTS, ORDERED, mutations, tamper
from tests.unit.analysis.evidence import healthy, load_of

CASES = [(kind, name) for kind in LAYOUTS for name in mutations(kind)]
SEALED = ("scenario.toml", "plan.json", "run.json", "environment.json", "stack.json", "clock.jsonl")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A healthy run on disk; tests change copies of it."""
    return healthy(load_of(agents=4, rate=60.0, duration_s=10.0)).write(
        tmp_path_factory.mktemp("stored")
    )


class Copies:
    """Copies of a run, each gone after use."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run

    def each(self) -> Iterator[RunFolder]:
        """One copy."""
        with TemporaryDirectory() as place:
            yield RunFolder(Path(shutil.copytree(self._run.path, Path(place) / "run")))


def verdict(folder: RunFolder) -> Verdict:
    """The verdict; evidence that cannot even be read is INVALID, as the command's exit code is."""
    try:
        return assess(folder).judgement.verdict
    except EvidenceError:
        return Verdict.INVALID


def test_an_untouched_copy_passes(stored: RunFolder) -> None:
    """So that what follows is red for its own reason."""
    for copy in Copies(stored).each():
        assert verdict(copy) is Verdict.PASS


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[" ".join(case) for case in CASES])
@settings(max_examples=6, deadline=None)
@given(at=st.integers(0, 1 << 20))
def test_tampering_with_records_is_seen(stored: RunFolder, kind: str, name: str, at: int) -> None:
    """With its seal, and without it wherever the records themselves can give it away."""
    for copy in Copies(stored).each():
        tamper(copy, kind, mutations(kind)[name], at)
        assert verdict(copy) in (Verdict.INVALID, Verdict.FAIL)
        if kind in ORDERED or name != "reorder":
            write_manifest(copy)
            assert verdict(copy) in (Verdict.INVALID, Verdict.FAIL)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(SEALED), at=st.integers(0, 1 << 20), bit=st.integers(0, 7))
def test_any_flipped_bit_is_seen(stored: RunFolder, name: str, at: int, bit: int) -> None:
    """Also in what only describes the run."""
    for copy in Copies(stored).each():
        path = copy.path / name
        data = bytearray(path.read_bytes())
        data[at % len(data)] ^= 1 << bit
        path.write_bytes(data)
        assert verdict(copy) in (Verdict.INVALID, Verdict.FAIL)


def test_seal_names_what_was_done(stored: RunFolder) -> None:
    """Changed, gone and added files, each by its name; results and logs may change."""
    for copy in Copies(stored).each():
        (copy.path / "clock.jsonl").write_text("", encoding="utf-8")
        copy.stack.unlink()
        (copy.journal / "attempts-1.bin").write_bytes(b"")
        copy.write_json(copy.result, {})
        (copy.logs / "later.log").write_text("x", encoding="utf-8")
        state = verify_manifest(copy)
        assert state.changed == ("clock.jsonl",)
        assert state.missing == ("stack.json",)
        assert state.added == ("journal/attempts-1.bin",)
