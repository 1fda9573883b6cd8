"""What a forger writes again after a change: the chain of the journal, and every seal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from harness.assessment.signoff_folder import SignoffFolder
from harness.evidence.chained_journal import JournalEntry
from harness.evidence.folder_manifest import write_folder_manifest
from harness.evidence.jsonl import format_jsonl
from harness.evidence.manifest import evidence_digests
from harness.evidence.run_folder import RunFolder


def chain_anew(folder: SignoffFolder, entries: Sequence[JournalEntry]) -> None:
    """Write the journal with a chain that fits."""
    previous, lines = folder.plan_sha256(), []
    for entry in entries:
        line = format_jsonl(entry.model_copy(update={"previous": previous}))
        previous = hashlib.sha256(line.encode()).hexdigest()
        lines.append(line)
    (folder.path / "journal.jsonl").write_text("".join(lines), encoding="utf-8")


def seal_anew(path: Path) -> None:
    """Write the seal of each run that is an attempt, and the manifest of the folder."""
    for plan in path.glob("attempts/*/*/plan.json"):
        run = RunFolder(plan.parent)
        # Without what was made from the evidence after the run ended, such as isolation.json.
        found = evidence_digests(run)
        found.pop(run.seal.name, None)
        run.write_json(run.seal, {"sha256": found})
    write_folder_manifest(path)
