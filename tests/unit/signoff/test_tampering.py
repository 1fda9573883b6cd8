"""Whatever is done to a sign-off, also where it is sealed anew, is refused with its place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.assessment.signoff import Decision
from harness.assessment.signoff_folder import SignoffFolder
from harness.evidence.manifest import sha256_of
from harness.evidence.run_folder import RunFolder
from harness.experiments.signoff_verify import Verification, verify_signoff
from tests.fuzz.hostile import edit
from tests.studies.mutations.documents import DOCUMENTS
from tests.studies.mutations.mutate import LAYOUTS, ORDERED, mutations, tamper
from tests.studies.tampering.sealing import chain_anew, seal_anew
from tests.unit.signoff.signoffs import (
    finished,
    invalid,
    judged,
    lossy,
    new_signoff,
    policy_text,
    run,
)

CASES = [
    (kind, name)
    for kind in LAYOUTS
    for name in mutations(kind)
    if kind in ORDERED or name != "reorder"  # elsewhere the order says nothing
]
AT = 333


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> SignoffFolder:
    """A sign-off of one criterion, which is MET."""
    return finished(tmp_path_factory.mktemp("met"), policy_text("load"))[0]


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> SignoffFolder:
    """One whose first attempt was INVALID."""
    return finished(tmp_path_factory.mktemp("repeated"), policy_text("load"), invalid)[0]


def copy_of(folder: SignoffFolder, path: Path) -> SignoffFolder:
    """A copy to tamper with, of the same name."""
    return SignoffFolder(Path(shutil.copytree(folder.path, path / folder.path.name)))


def run_of(folder: SignoffFolder, attempt: int = 1) -> RunFolder:
    """The run of an attempt."""
    (plan,) = folder.attempt_path("load", attempt).glob("*/plan.json")
    return RunFolder(plan.parent)


def sealed_anew(folder: SignoffFolder) -> Verification:
    """Verified, after a forger wrote every seal again."""
    seal_anew(folder.path)
    return verify_signoff(folder.path)


def ids(found: Verification) -> set[str]:
    """The ids of all differences."""
    return {one.id for one in found.differences}


def test_what_was_not_tampered_with_matches(
    met: SignoffFolder, repeated: SignoffFolder, tmp_path: Path
) -> None:
    """As a folder and as an archive; verifying changes neither."""
    for folder in (met, repeated):
        before = sha256_of(folder.path / "manifest.json")
        for source in (folder.path, folder.path.with_name(f"{folder.path.name}.tar.gz")):
            found = verify_signoff(source)
            assert found.differences == ()
            assert found.result == judged(folder)
        assert sha256_of(folder.path / "manifest.json") == before
    # Sealing anew what was not changed changes nothing.
    assert sealed_anew(copy_of(met, tmp_path)).differences == ()


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[" ".join(case) for case in CASES])
def test_records_that_were_tampered_with(
    kind: str, name: str, met: SignoffFolder, tmp_path: Path
) -> None:
    """The evidence itself shows it, and the result no longer follows from it."""
    copy = copy_of(met, tmp_path)
    tamper(run_of(copy), kind, mutations(kind)[name], AT)
    found = sealed_anew(copy)
    assert "result" in ids(found)
    assert found.result is not None
    assert found.result.decision is Decision.NOT_SIGNED_OFF


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_that_were_tampered_with(name: str, met: SignoffFolder, tmp_path: Path) -> None:
    """The same of what the documents of a run have of its events."""
    copy = copy_of(met, tmp_path)
    DOCUMENTS[name](run_of(copy))
    assert "result" in ids(sealed_anew(copy))


def test_without_a_new_seal_the_file_is_named(met: SignoffFolder, tmp_path: Path) -> None:
    """Changed, missing and added files."""
    copy = copy_of(met, tmp_path)
    run_folder = run_of(copy)
    name = run_folder.path.relative_to(copy.path).as_posix()
    run_folder.sightings.write_bytes(b"")
    run_folder.clock.unlink()
    (copy.path / "notes.txt").write_text("x", encoding="utf-8")
    found = {(one.id, one.place) for one in verify_signoff(copy.path).differences}
    assert ("file_changed", f"{name}/sightings.bin") in found
    assert ("file_missing", f"{name}/clock.jsonl") in found
    assert ("file_added", "notes.txt") in found


def test_an_edited_result(met: SignoffFolder, tmp_path: Path) -> None:
    """Each place is named."""
    copy = copy_of(met, tmp_path)
    edit(copy.document, lambda document: document.update(decision="SIGNED_OFF", reasons=[]))
    places = {one.place for one in sealed_anew(copy).differences if one.id == "result"}
    assert places == {"decision", "reasons"}


@pytest.mark.parametrize("name", ["signoff.html", "VERIFY.md"])
def test_an_edited_page(name: str, met: SignoffFolder, tmp_path: Path) -> None:
    """What people read follows from the evidence too."""
    copy = copy_of(met, tmp_path)
    path = copy.path / name
    path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    (difference,) = sealed_anew(copy).differences
    assert (difference.id, difference.place) == ("page", name)


def test_an_attempt_left_out(repeated: SignoffFolder, tmp_path: Path) -> None:
    """Its number, its seed and its line are missed."""
    entries = list(repeated.journal().read())
    # Only the folder.
    copy = copy_of(repeated, tmp_path / "folder")
    shutil.rmtree(copy.attempt_path("load", 1))
    assert "not_judged" in ids(sealed_anew(copy))
    # Only the lines, with a chain that fits.
    copy = copy_of(repeated, tmp_path / "lines")
    chain_anew(copy, entries[2:])
    assert "not_judged" in ids(sealed_anew(copy))
    # Only the last lines.
    copy = copy_of(repeated, tmp_path / "last")
    chain_anew(copy, entries[:2])
    (difference,) = (one for one in sealed_anew(copy).differences if one.id == "not_judged")
    assert "load-2" in difference.message
    # Both, and the second attempt has the name of the first.
    copy = copy_of(repeated, tmp_path / "both")
    shutil.rmtree(copy.attempt_path("load", 1))
    copy.attempt_path("load", 2).rename(copy.attempt_path("load", 1))
    chain_anew(copy, [one.model_copy(update={"attempt": 1}) for one in entries[2:]])
    found = sealed_anew(copy)
    assert "result" in ids(found)
    assert found.result is not None
    assert found.result.criteria[0].status.value == "UNKNOWN"


def test_a_line_of_the_journal_that_was_changed(met: SignoffFolder, tmp_path: Path) -> None:
    """The chain is broken."""
    copy = copy_of(met, tmp_path)
    path = copy.path / "journal.jsonl"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"begun"', '"ended"', 1), encoding="utf-8")
    assert "not_judged" in ids(sealed_anew(copy))


def test_another_question_than_the_one_that_was_fixed(met: SignoffFolder, tmp_path: Path) -> None:
    """The seeds of the evidence follow from policy and plan."""
    copy = copy_of(met, tmp_path)
    policy = copy.path / "policy.toml"
    policy.write_text(policy_text("load", attempts=3), encoding="utf-8")
    assert "not_judged" in ids(sealed_anew(copy))
    # The plan and the journal are made to fit, too.
    facts = copy.path / copy.FACTS
    entries = list(met.journal().read())
    edit(facts, lambda document: document.update(policy_sha256=sha256_of(policy)))
    chain_anew(copy, entries)
    found = sealed_anew(copy)
    assert found.result is not None
    assert found.result.criteria[0].status.value == "UNKNOWN"


def test_a_run_of_another_sign_off(met: SignoffFolder, tmp_path: Path) -> None:
    """A failed one is not mended with evidence of one that passed."""
    failed = new_signoff(tmp_path, policy_text("load"))
    run(failed, lossy)
    bad, good = run_of(failed), run_of(met)
    shutil.rmtree(bad.path)
    shutil.copytree(good.path, bad.path)
    result = judged(failed)
    assert result.criteria[0].status.value == "UNKNOWN"
    assert result.decision is Decision.NOT_SIGNED_OFF


def test_a_renamed_folder(met: SignoffFolder, tmp_path: Path) -> None:
    """The id is part of the plan."""
    other = tmp_path / "another-signoff"
    shutil.copytree(met.path, other)
    assert "not_judged" in ids(verify_signoff(other))


def test_the_root_covers_every_file(met: SignoffFolder, tmp_path: Path) -> None:
    """And is checked itself."""
    copy = copy_of(met, tmp_path)
    manifest = copy.path / "manifest.json"
    document = json.loads(manifest.read_text(encoding="utf-8"))
    document["root"] = "0" * 64
    manifest.write_text(json.dumps(document), encoding="utf-8")
    assert ids(verify_signoff(copy.path)) == {"root"}
