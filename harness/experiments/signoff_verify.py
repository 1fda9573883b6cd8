"""A sign-off of unknown origin: unpacked, judged again offline, and compared.

Nothing in it is believed. The manifest shows what was changed and not sealed anew; the evidence
itself shows the rest: every attempt is judged again, and result and page have to follow from that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
from harness.assessment.signoff import SignoffResult
from harness.assessment.signoff_folder import SignoffFolder
from harness.errors import EvidenceError, HarnessError, UsageError, error_text
from harness.evidence import atomic_files
from harness.evidence.archive import unpack
from harness.evidence.folder_manifest import check_folder
from harness.experiments.signoff_result import document_texts, judge_signoff
from harness.safe_open import RefusedError

_SHOWN_MAX = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it has to be.

    Attributes:
        id: `file_changed`, `file_missing`, `file_added`, `root`, `not_judged`, `result`, `page` or
            `signature`.
        place: the file, or the place in the result.
        message: one sentence.
    """

    id: str
    place: str
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Attributes:
        result: as judged now; None where it cannot be judged.
        root: the root hash of the files as they are.
        differences: none where everything matches.
    """

    result: SignoffResult | None
    root: str
    differences: tuple[Difference, ...]


def verify_signoff(source: Path) -> Verification:
    """Verify an archive, or such a folder.

    Raises:
        RefusedError: it has what no sign-off has; nothing of it is judged.
        EvidenceError: it cannot be read as an archive of a sign-off.
        UsageError: there is none.
    """
    with tempfile.TemporaryDirectory(prefix="harness-signoff-") as place:
        return _verify(SignoffFolder.open(unpack(source, Path(place))))


def _verify(folder: SignoffFolder) -> Verification:
    check = check_folder(folder.path)
    found = [
        Difference(f"file_{kind}", name, f"was {kind} after the sign-off was sealed")
        for kind, names in (
            ("changed", check.files.changed),
            ("missing", check.files.missing),
            ("added", check.files.added),
        )
        for name in names
    ]
    if check.root != check.stored_root and not found:
        message = f"is {check.root} of these files, and {check.stored_root} in the manifest"
        found.append(Difference("root", "manifest.json", message))
    # What is judged may write into the folder, which is a copy.
    stored, texts = _stored(folder)
    try:
        judged = judge_signoff(folder)
    except RefusedError:
        raise
    except (EvidenceError, UsageError) as error:
        found.append(Difference("not_judged", error.where, error_text(error)))
        return Verification(None, check.root, tuple(found[:_SHOWN_MAX]))
    found += _result_differences(stored, judged.result)
    found += [
        Difference("page", path.name, "does not follow from the evidence")
        for path, text in document_texts(judged, folder).items()
        if texts.get(path) != text
    ]
    return Verification(judged.result, check.root, tuple(found[:_SHOWN_MAX]))


def _stored(folder: SignoffFolder) -> tuple[dict[str, Any], dict[Path, str]]:
    """The result and the documents for people, as they came."""
    texts = {}
    for path in (folder.page, folder.instructions):
        try:
            texts[path] = atomic_files.read_text(path)
        except RefusedError:
            raise
        except HarnessError:
            continue  # a missing one differs
    try:
        return atomic_files.read_json(folder.document), texts
    except RefusedError:
        raise
    except HarnessError:
        return {}, texts


def _result_differences(stored: dict[str, Any], result: SignoffResult) -> Iterator[Difference]:
    now = result.model_dump(mode="json")
    for place, before, after in _differences("", stored, now):
        shown = f"is {_short(before)} in signoff.json, and the evidence says {_short(after)}"
        if result.harness != harness.__version__:
            shown += f" (made by harness {result.harness}, verified by {harness.__version__})"
        yield Difference("result", place, shown)


def _differences(place: str, stored: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each place at which two documents differ, the deepest one."""
    if isinstance(stored, dict) and isinstance(now, dict):
        for key in sorted({*stored, *now}):
            inner = f"{place}.{key}" if place else str(key)
            yield from _differences(inner, stored.get(key), now.get(key))
    elif isinstance(stored, list) and isinstance(now, list) and len(stored) == len(now):
        for number, (before, after) in enumerate(zip(stored, now, strict=True)):
            yield from _differences(f"{place}.{number}", before, after)
    elif stored != now or isinstance(stored, bool) is not isinstance(now, bool):
        yield place, stored, now


def _short(value: object) -> str:
    text = "missing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
