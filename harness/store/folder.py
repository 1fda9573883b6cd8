"""`reports/<run-id>/`: one path for each piece of evidence."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from harness.clock import NS_PER_S
from harness.errors import EvidenceError, UsageError
from harness.scenario import Scenario, load_scenario
from harness.store import files
from harness.store.facts import TELEMETRY, ObserverFacts, RunFacts, RunPlan
from harness.store.toml import toml_text

_SECRET_OR_LOCAL = {"redis_url", "folder", "process"}


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run; every path is absolute.

    Attributes:
        path: `reports/<run-id>`.
    """

    path: Path

    @classmethod
    def create(cls, reports: Path, name: str, wall_ns: int) -> RunFolder:
        """A new folder with a run id of UTC time, scenario name and four random hex digits.

        Raises:
            EvidenceError: it cannot be made.
        """
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(wall_ns / NS_PER_S))
        path = reports.absolute() / f"{stamp}-{name}-{secrets.token_hex(2)}"
        folder = cls(path)
        try:
            path.mkdir(parents=True)
            for part in (folder.journal, folder.logs, folder.histograms):
                part.mkdir()
        except OSError as error:
            raise files.cannot("create", path, error) from error
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The folder of a run that has been.

        Raises:
            UsageError: there is none.
        """
        folder = cls(path.absolute())
        if not folder.plan.is_file():
            raise UsageError(
                "is not the folder of a run" if path.is_dir() else "no such folder",
                where=str(path),
                hint="give the folder that a run named at its end, reports/<run-id>;"
                " one without a plan.json ended before its first signal",
            )
        return folder

    @property
    def run_id(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def scenario(self) -> Path:
        """What was asked, with every override resolved."""
        return self.path / "scenario.toml"

    @property
    def environment(self) -> Path:
        """Where and with what the run was made."""
        return self.path / "environment.json"

    @property
    def plan(self) -> Path:
        """What the swarm was told."""
        return self.path / "plan.json"

    @property
    def run(self) -> Path:
        """When the run was watched, and what happened."""
        return self.path / "run.json"

    @property
    def stack(self) -> Path:
        """What ran as the system under test."""
        return self.path / "stack.json"

    @property
    def journal(self) -> Path:
        """Folder of the swarm's attempts and Redis's answers."""
        return self.path / "journal"

    @property
    def sightings(self) -> Path:
        """FSM row versions that the observer saw."""
        return self.path / "sightings.bin"

    @property
    def observer(self) -> Path:
        """What the observer says of itself at its end."""
        return self.path / "observer.json"

    @property
    def clock(self) -> Path:
        """Probes of the servers' clocks."""
        return self.path / "clock.jsonl"

    @property
    def stream(self) -> Path:
        """The proposals stream and its group, a few times a second."""
        return self.path / "redis.jsonl"

    @property
    def vitals(self) -> Path:
        """What the harness's processes and the host had to work with, each second."""
        return self.path / "vitals.jsonl"

    @property
    def swarm_words(self) -> Path:
        """Status lines of the swarm's processes."""
        return self.path / "swarm.jsonl"

    @property
    def observer_words(self) -> Path:
        """Status lines of the observer."""
        return self.path / "observer.jsonl"

    @property
    def final_tasks(self) -> Path:
        """The FSM table when everything was quiet."""
        return self.path / "final-tasks.bin"

    @property
    def final_ledger(self) -> Path:
        """The ledger when everything was quiet."""
        return self.path / "final-ledger.bin"

    @property
    def final_bookings(self) -> Path:
        """Amounts that were booked, when everything was quiet."""
        return self.path / "final-bookings.bin"

    @property
    def final_stamps(self) -> Path:
        """When the FSM rows say that they were changed last."""
        return self.path / "final-stamps.bin"

    @property
    def metrics(self) -> Path:
        """What the services counted, by their own pages."""
        return self.path / "metrics.json"

    @property
    def telemetry(self) -> Path:
        """What the system's parts used, each second; see `harness.measure.telemetry_lines`."""
        return self.path / TELEMETRY

    @property
    def final(self) -> Path:
        """Nonce rows and server figures when everything was quiet."""
        return self.path / "final.json"

    @property
    def defects(self) -> Path:
        """What named defects of the reference services did, by their own account.

        For people and for tests of the judgement, which itself never looks at it.
        """
        return self.path / "defects.jsonl"

    @property
    def logs(self) -> Path:
        """Folder of what the processes said."""
        return self.path / "logs"

    @property
    def histograms(self) -> Path:
        """Folder of histogram logs."""
        return self.path / "histograms"

    @property
    def seal(self) -> Path:
        """What each file of the evidence was when the run ended."""
        return self.path / "seal.json"

    @property
    def result(self) -> Path:
        """Measurement and judgement."""
        return self.path / "result.json"

    def forget_result(self) -> None:
        """Take away a result that is about to be made anew.

        Raises:
            EvidenceError: it cannot be removed.
        """
        try:
            self.result.unlink(missing_ok=True)
        except OSError as error:
            raise files.cannot("remove", self.result, error) from error

    def attempts(self) -> tuple[Path, ...]:
        """What the swarm attempted, one file for each of its processes, in their order."""
        return self._journal_files("attempts")

    def acks(self) -> tuple[Path, ...]:
        """What became of the attempts, one file for each process."""
        return self._journal_files("acks")

    def write_json(self, path: Path, document: Mapping[str, Any]) -> None:
        """`files.write_json`."""
        files.write_json(path, document)

    def write_text(self, path: Path, text: str) -> None:
        """`files.write_text`."""
        files.write_text(path, text)

    def read_json(self, path: Path) -> dict[str, Any]:
        """`files.read_json`."""
        return files.read_json(path)

    def read_text(self, path: Path) -> str:
        """`files.read_text`."""
        return files.read_text(path)

    def write_scenario(self, scenario: Scenario) -> None:
        """Keep what is asked.

        Raises:
            EvidenceError: it could not be written.
        """
        self.write_text(self.scenario, toml_text(scenario.model_dump(mode="json")))

    def read_scenario(self) -> Scenario:
        """What was asked.

        Raises:
            EvidenceError: missing or not a scenario.
        """
        try:
            return load_scenario(self.scenario)
        except UsageError as error:
            raise EvidenceError(error.what, where=error.where) from error

    def write_plan(self, plan: BaseModel) -> None:
        """Keep what the swarm is told, without passwords.

        Raises:
            EvidenceError: it could not be written.
        """
        document = plan.model_dump(mode="json", exclude=_SECRET_OR_LOCAL)
        stages = RunPlan.model_validate_json(json.dumps(document)).load.timeline()
        timeline = [stage.model_dump(mode="json") for stage in stages]
        self.write_json(self.plan, {**document, "timeline": timeline})

    def read_plan(self) -> RunPlan:
        """What the swarm was told.

        Raises:
            EvidenceError: missing or unreadable.
        """
        return files.read_model(self.plan, RunPlan)

    def read_run(self) -> RunFacts:
        """When the run was watched, and what happened.

        Raises:
            EvidenceError: missing or unreadable.
        """
        return files.read_model(self.run, RunFacts)

    def read_observer(self) -> ObserverFacts:
        """What the observer said at its end.

        Raises:
            EvidenceError: missing, because it did not come to its end, or unreadable.
        """
        return files.read_model(self.observer, ObserverFacts)

    def _journal_files(self, kind: str) -> tuple[Path, ...]:
        found = [
            (int(path.stem.rpartition("-")[2]), path)
            for path in self.journal.glob(f"{kind}-*.bin")
            if path.stem.rpartition("-")[2].isdigit()
        ]
        return tuple(path for _, path in sorted(found))
