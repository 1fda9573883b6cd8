"""`DIR/<id>-signoff/`: the policy as it was, the plan, the journal, and a folder for each attempt.

The seed of an attempt follows from the plan, which has the digest of the policy: evidence that was
made for another policy, another sign-off or another attempt has another schedule.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.analysis.capacity.trials import SearchPlan
from harness.clock import NS_PER_S
from harness.errors import EvidenceError
from harness.evidence import atomic_files
from harness.evidence.chained_journal import ChainedJournal
from harness.evidence.experiment_folder import ExperimentFolder, StoredStack
from harness.evidence.manifest import sha256_of
from harness.evidence.new_folder import FileName, create_unique_folder
from harness.printable import SingleLineText
from harness.scenario.policy import (
    CRITERIA_MAX,
    Criterion,
    Policy,
    parse_policy,
    read_policy_text,
)

POLICY_FILE = "policy.toml"
# Seeds are below 2^62, so that every run of an attempt has one of its own below the largest.
_SEED_BITS = 62


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Question(_Stored):
    """What a criterion runs, resolved before anything ran.

    Attributes:
        id: of the criterion.
        scenario: as TOML, every key with its value.
        search: of a capacity.
    """

    id: FileName
    scenario: str
    search: SearchPlan | None = None


class SignoffPlan(_Stored):
    """`signoff-plan.json`: the plan, which is never changed.

    Attributes:
        signoff_id: name of the folder.
        began: UTC.
        harness: version that began it.
        policy_sha256: of `policy.toml`.
        stack: on which everything runs.
        defects: that are switched on in the reference services.
        questions: in the order of the criteria.
    """

    signoff_id: FileName
    began: SingleLineText
    harness: SingleLineText
    policy_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    stack: StoredStack
    defects: tuple[str, ...] = ()
    questions: Annotated[tuple[Question, ...], Field(min_length=1, max_length=CRITERIA_MAX)]


@dataclass(frozen=True, slots=True)
class SignoffFolder(ExperimentFolder):
    """The folder of a sign-off."""

    FACTS = "signoff-plan.json"
    WHAT = "a sign-off"
    COMMAND = "signoff"

    @classmethod
    def create(cls, out: Path, name: str, wall_ns: int) -> SignoffFolder:
        """A new folder, without a plan.

        Raises:
            EvidenceError: it cannot be made.
        """
        return cls(create_unique_folder(out, name, wall_ns, cls.COMMAND))

    @property
    def document(self) -> Path:
        """The result."""
        return self.path / "signoff.json"

    @property
    def page(self) -> Path:
        """The result as a page."""
        return self.path / "signoff.html"

    @property
    def instructions(self) -> Path:
        """How to verify it."""
        return self.path / "VERIFY.md"

    @property
    def attempts(self) -> Path:
        """Folder of all attempts."""
        return self.path / "attempts"

    def write_plan(self, policy_text: str, plan: SignoffPlan) -> None:
        """Write policy and plan, once.

        Raises:
            EvidenceError: they cannot be written.
        """
        atomic_files.write_text(self.path / POLICY_FILE, policy_text)
        atomic_files.write_json(self.path / self.FACTS, plan.model_dump(mode="json"))

    def read_plan(self) -> SignoffPlan:
        """The plan.

        Raises:
            EvidenceError: missing, unreadable, or that of another folder.
        """
        path = self.path / self.FACTS
        plan = atomic_files.read_model(path, SignoffPlan)
        if plan.signoff_id != self.path.name:
            raise EvidenceError(
                f"is the plan of {plan.signoff_id}, and lies in {self.path.name}", where=str(path)
            )
        return plan

    def read_policy(self) -> Policy:
        """The policy, which has to be the one that the plan was made from.

        Raises:
            EvidenceError: missing, unreadable, or another one.
        """
        path = self.path / POLICY_FILE
        if sha256_of(path) != self.read_plan().policy_sha256:
            raise EvidenceError("is not the policy that the sign-off began with", where=path.name)
        return parse_policy(read_policy_text(path, by_user=False), str(path))

    def plan_sha256(self) -> str:
        """SHA-256 of the plan's file."""
        return sha256_of(self.path / self.FACTS)

    def journal(self) -> ChainedJournal:
        """The log of all attempts."""
        return ChainedJournal(self.path / "journal.jsonl", self.plan_sha256())

    def attempt_path(self, criterion: str, attempt: int) -> Path:
        """The folder of an attempt."""
        return self.attempts / f"{criterion}-{attempt}"

    def begin_attempt(self, criterion: Criterion, attempt: int) -> Path:
        """Make the folder of an attempt, if it is not there, and say whose it is.

        Raises:
            EvidenceError: it cannot be made.
        """
        path = self.attempt_path(criterion.id, attempt)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise atomic_files.io_error("create", path, error) from error
        seed = attempt_seed(self.plan_sha256(), criterion.id, attempt)
        # An archive has no empty folders, and this one may get no evidence.
        facts = {"criterion": criterion.id, "attempt": attempt, "seed": seed}
        atomic_files.write_json(path / "attempt.json", facts)
        return path


def attempt_seed(plan_sha256: str, criterion: str, attempt: int) -> int:
    """The seed of an attempt: 62 bits of SHA-256 over the plan, the criterion and the number."""
    text = f"{plan_sha256}\n{criterion}\n{attempt}\n"
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _SEED_BITS)


def utc_text(wall_ns: int) -> str:
    """A moment of Unix time as `2026-11-30T18:05:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall_ns / NS_PER_S))
