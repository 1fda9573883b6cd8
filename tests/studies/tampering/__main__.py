"""`python -m tests.studies.tampering ARCHIVE`: tampers with copies of a finished sign-off.

ARCHIVE is an archive or folder that `harness signoff verify` finds to match. Each copy is changed
in one way and sealed anew, as a forger would; the plan and the chain of the journal are made to fit
where a forger could. Prints a table with the exit code of `verify` and what it found; returns 1
where a change was not refused. Records are those of the first criterion of kind run.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from typer.testing import CliRunner

from harness.assessment.signoff_folder import SignoffFolder
from harness.cli.app import app
from harness.errors import Exit
from harness.evidence.archive import unpack
from harness.evidence.manifest import sha256_of
from harness.evidence.run_folder import RunFolder
from harness.scenario.policy import parse_policy
from tests.fuzz.hostile import edit
from tests.studies.mutations.documents import DOCUMENTS
from tests.studies.mutations.mutate import LAYOUTS, ORDERED, mutations, tamper
from tests.studies.tampering.sealing import chain_anew, seal_anew

AT = 333
SHOWN_CHARS = 78
UNCHANGED, SEALED = "nothing", "nothing, sealed anew"


@dataclass(frozen=True)
class Copy:
    """A copy of the sign-off, to tamper with.

    Attributes:
        folder: of the copy.
        criterion: of kind `run`, whose first attempt is tampered with.
        other: another criterion with an attempt.
    """

    folder: SignoffFolder
    criterion: str
    other: str

    @property
    def attempt(self) -> Path:
        """The folder of the attempt."""
        return self.folder.attempt_path(self.criterion, 1)

    @property
    def run(self) -> RunFolder:
        """The run of the attempt."""
        return RunFolder(next(self.attempt.glob("*/plan.json")).parent)


Change = Callable[[Copy], None]
Line = TypeVar("Line")


def _no_change(_: Copy) -> None:
    """What a forger seals anew is what it was."""


def edit_records(copy: Copy, kind: str, name: str) -> None:
    """One place of a file of records is another."""
    tamper(copy.run, kind, mutations(kind)[name], AT)


def edit_document(copy: Copy, name: str) -> None:
    """A document of the run has another event or count."""
    DOCUMENTS[name](copy.run)


def leave_attempt_out(copy: Copy) -> None:
    """Neither its folder nor its lines are there; the chain fits."""
    shutil.rmtree(copy.attempt)
    entries = copy.folder.journal().read()
    chain_anew(copy.folder, [one for one in entries if one.criterion != copy.criterion])


def edit_decision(copy: Copy) -> None:
    """Signed off, without any reason."""
    edit(
        copy.folder.document,
        lambda document: document.update(decision="SIGNED_OFF", exit_code=0, reasons=[]),
    )


def edit_figure(copy: Copy) -> None:
    """The percentile of the first criterion is half as high."""

    def halve(document: dict[str, Any]) -> None:
        figures = document["criteria"][0]["attempts"][0]["figures"]
        figures["estimate_ns"] //= 2

    edit(copy.folder.document, halve)


def edit_page(copy: Copy) -> None:
    """The page says SIGNED OFF."""
    text = copy.folder.page.read_text(encoding="utf-8")
    copy.folder.page.write_text(
        re.sub("NOT SIGNED OFF|INDICATIVE", "SIGNED OFF", text), encoding="utf-8"
    )


def change_policy(copy: Copy, text: str, *, is_planned: bool = False) -> None:
    """Something is put at the end of the policy.

    Args:
        copy: of the sign-off.
        text: what is appended.
        is_planned: the plan has the digest of the new policy, and the chain fits.
    """
    policy = copy.folder.path / "policy.toml"
    with policy.open("a", encoding="utf-8") as file:
        file.write(text)
    if is_planned:
        entries = list(copy.folder.journal().read())
        digest = sha256_of(policy)
        edit(
            copy.folder.path / copy.folder.FACTS,
            lambda document: document.update(policy_sha256=digest),
        )
        chain_anew(copy.folder, entries)


def ease_policy(copy: Copy) -> None:
    """More attempts are allowed; plan and chain fit."""
    policy = copy.folder.path / "policy.toml"
    text = re.sub(r"(?m)^attempts = \d+\n", "", policy.read_text(encoding="utf-8"))
    policy.write_text(text.replace("[policy]\n", "[policy]\nattempts = 3\n"), encoding="utf-8")
    change_policy(copy, "\n", is_planned=True)


def cut_journal(copy: Copy) -> None:
    """The last two lines are gone."""
    chain_anew(copy.folder, list(copy.folder.journal().read())[:-2])


def cut_line(copy: Copy) -> None:
    """The last line has only its first half."""
    path = copy.folder.path / "journal.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[:-100])


def reorder_journal(copy: Copy, *, is_chained: bool) -> None:
    """The lines of two attempts change places."""
    if is_chained:
        chain_anew(copy.folder, swap(list(copy.folder.journal().read())))
        return
    path = copy.folder.path / "journal.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(swap(lines)), encoding="utf-8")


def swap(lines: list[Line]) -> list[Line]:
    """Begin and end of the first two attempts change places."""
    return [*lines[2:4], *lines[:2], *lines[4:]]


def edit_time(copy: Copy) -> None:
    """A line of the journal has another time; the chain is as it was."""
    path = copy.folder.path / "journal.jsonl"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"T\d\d:", "T00:", text, count=1), encoding="utf-8")


def take_evidence(copy: Copy, *, is_run: bool) -> None:
    """The evidence of another criterion in the place of this one's.

    Args:
        copy: of the sign-off.
        is_run: only of its run; else of the whole attempt.
    """
    other = copy.folder.attempt_path(copy.other, 1)
    if is_run:
        run, source = copy.run.path, next(other.glob("*/plan.json")).parent
    else:
        run, source = copy.attempt, other
    shutil.rmtree(run)
    shutil.copytree(source, run)


def rename(copy: Copy) -> None:
    """The folder, and so the sign-off, has another name."""
    copy.folder.path.rename(copy.folder.path.with_name("20990101-000000-other-0000-signoff"))


def waiver(criterion: str) -> str:
    """A waiver, as a policy has it."""
    return (
        f'\n[[waiver]]\ncriterion = "{criterion}"\nreason = "made up"\nwho = "nobody"\n'
        "until = 2099-12-31\n"
    )


def changes(criterion: str) -> Mapping[str, Change]:
    """Every way to tamper with a sign-off, by a name for the table."""
    records = {
        f"{kind}: {name}": partial(edit_records, kind=kind, name=name)
        for kind in LAYOUTS
        for name in mutations(kind)
        if kind in ORDERED or name != "reorder"  # elsewhere the order says nothing
    }
    documents = {f"documents: {name}": partial(edit_document, name=name) for name in DOCUMENTS}
    added = waiver(criterion)
    return {
        **records,
        **documents,
        "an attempt left out": leave_attempt_out,
        "signoff.json: decision": edit_decision,
        "signoff.json: figure": edit_figure,
        "signoff.html: decision": edit_page,
        "policy: waiver added": partial(change_policy, text=added),
        "policy: waiver added, in the plan": partial(change_policy, text=added, is_planned=True),
        "policy: comment added": partial(change_policy, text="# x\n"),
        "policy: more attempts, in the plan": ease_policy,
        "journal: last attempt cut off": cut_journal,
        "journal: last line cut in half": cut_line,
        "journal: two attempts reordered": partial(reorder_journal, is_chained=False),
        "journal: the same, chained anew": partial(reorder_journal, is_chained=True),
        "journal: a time": edit_time,
        "evidence of another attempt": partial(take_evidence, is_run=False),
        "run of another attempt": partial(take_evidence, is_run=True),
        "folder renamed": rename,
    }


def verified(source: Path) -> tuple[int, str]:
    """Exit code of `harness signoff verify`, and what it prints."""
    done = CliRunner().invoke(app, ["signoff", "verify", str(source)], env={"COLUMNS": "400"})
    return done.exit_code, done.output


def criteria_of(folder: SignoffFolder) -> tuple[str, str]:
    """The first criterion of one run, and another one."""
    policy = parse_policy((folder.path / "policy.toml").read_text(encoding="utf-8"), "policy.toml")
    names = [one.id for one in policy.criterion if one.kind == "run"]
    runs = [name for name in names if [*folder.attempt_path(name, 1).glob("*/plan.json")]]
    if len(runs) < 2:
        raise SystemExit("the sign-off needs two criteria of kind run that have an attempt")
    return runs[0], runs[1]


def tables(source: Path) -> Iterator[tuple[str, int, str]]:
    """Each kind, the exit code, and what was found first."""
    with tempfile.TemporaryDirectory() as place:
        (original := Path(place) / "original").mkdir()
        folder = SignoffFolder.open(unpack(source, original))
        criterion, other = criteria_of(folder)
        code, output = verified(source)
        yield UNCHANGED, code, last_line(output)
        for name, change in {SEALED: _no_change, **changes(criterion)}.items():
            inner = Path(place) / "copy"
            own = SignoffFolder(Path(shutil.copytree(folder.path, inner / folder.path.name)))
            change(Copy(own, criterion, other))
            (changed,) = inner.iterdir()
            seal_anew(changed)
            code, output = verified(changed)
            yield name, code, last_line(output) if name == SEALED else first_line(output)
            shutil.rmtree(inner)


def first_line(output: str) -> str:
    """The first difference, on one line of the table."""
    return " ".join(output.split("\n", 1)[0].split())[:SHOWN_CHARS]


def last_line(output: str) -> str:
    """What was found in all."""
    return output.strip().rpartition("\n")[2]


def main() -> int:
    """Print the table; 1 where a copy was not refused, or the original was."""
    if len(sys.argv) != 2:
        print("usage: python -m tests.studies.tampering ARCHIVE", file=sys.stderr)
        return int(Exit.USAGE)
    missed = 0
    print(f"{'kind':36} {'exit':>4}  what verify found first")
    for name, code, found in tables(Path(sys.argv[1])):
        missed += code != (Exit.PASS if name in (UNCHANGED, SEALED) else Exit.INVALID)
        print(f"{name:36} {code:>4}  {found}", flush=True)
    print(f"{missed} not as they should be")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
