"""`python -m tests.studies.mutations RUN`: tampers with copies of a run, one place at a time.

Each copy is judged twice: with its seal, and with a new seal, as a forger would make; then the
records themselves must give it away. Prints a table; 1 where the judge was fooled.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from harness.assessment.assess import assess
from harness.errors import HarnessError
from harness.evidence.manifest import write_manifest
from harness.evidence.run_folder import RunFolder
from harness.judge.judgement import Judgement
from harness.judge.verdict import Verdict
from tests.studies.mutations.documents import DOCUMENTS
from tests.studies.mutations.mutate import LAYOUTS, ORDERED, Mutation, mutations, tamper

AT = 777


def judged(folder: RunFolder) -> Judgement | str:
    """The judgement, or why there is none."""
    try:
        return assess(folder).judgement
    except HarnessError as error:
        return error.what


def format_verdict(found: Judgement | str) -> str:
    """Verdict and first reason."""
    if isinstance(found, str):
        return f"refused: {found}"
    if found.verdict is Verdict.PASS:
        return "PASS"
    # The seal has a column of its own.
    said = [check for check in found.reasons if check.id != "evidence_sealed"]
    check = (said or list(found.reasons))[0]
    return f"{check.status.value} {check.name}: {check.message[:70]}"


def is_red(found: Judgement | str, before: Judgement) -> bool:
    """Whether the tampering shows."""
    if isinstance(found, str):
        return True
    if found.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE):
        return False
    return found.checks != before.checks


def one(run: RunFolder, before: Judgement, kind: str, name: str, mutation: Mutation) -> bool:
    """Tamper once, print a row, and tell whether both judgements were red."""
    with tempfile.TemporaryDirectory() as place:
        copy = RunFolder(Path(shutil.copytree(run.path, Path(place) / run.run_id)))
        tamper(copy, kind, mutation, AT)
        sealed = judged(copy)
        write_manifest(copy)
        resealed = judged(copy)
    needs_records = kind in ORDERED or name != "reorder"
    good = is_red(sealed, before) and (not needs_records or is_red(resealed, before))
    seen = "red" if is_red(sealed, before) else "NOT SEEN"
    reported = format_verdict(resealed) if needs_records else "(order means nothing here)"
    print(f"| {kind} | {name} | {seen} | {reported} |", flush=True)
    return good


def one_document(run: RunFolder, before: Judgement, name: str) -> bool:
    """The same with what a document tells of the run's events."""
    with tempfile.TemporaryDirectory() as place:
        copy = RunFolder(Path(shutil.copytree(run.path, Path(place) / run.run_id)))
        DOCUMENTS[name](copy)
        sealed = judged(copy)
        write_manifest(copy)
        resealed = judged(copy)
    seen = "red" if is_red(sealed, before) else "NOT SEEN"
    print(f"| documents | {name} | {seen} | {format_verdict(resealed)} |", flush=True)
    return is_red(sealed, before) and is_red(resealed, before)


def main(arguments: list[str]) -> int:
    """Tamper with everything; 1 where it was not seen."""
    if len(arguments) != 1:
        print(__doc__)
        return 2
    run = RunFolder.open(Path(arguments[0]))
    before = judged(run)
    if isinstance(before, str):
        print(before)
        return 2
    print(f"{run.run_id} as it is: {before.verdict.value}\n")
    print("| file | what was done | with its seal | with a new seal |\n|---|---|---|---|")
    rows = [
        one(run, before, kind, name, mutation)
        for kind in LAYOUTS
        for name, mutation in mutations(kind).items()
    ]
    rows += [one_document(run, before, name) for name in DOCUMENTS]
    print(f"\n{sum(rows)} of {len(rows)} seen")
    return 0 if all(rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
