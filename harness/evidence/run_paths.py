"""`reports/<run-id>/`: one path for each piece of evidence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.evidence.run_documents import CHAIN_HEADS_FILE, TELEMETRY_FILE


@dataclass(frozen=True, slots=True)
class RunPaths:
    """Where things lie in the folder of one run; every path is absolute.

    Attributes:
        path: `reports/<run-id>`.
    """

    path: Path

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
    def reads(self) -> Path:
        """The observer's reads that brought sightings; empty where the log is read."""
        return self.path / "reads.bin"

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
    def swarm_status(self) -> Path:
        """Status lines of the swarm's processes."""
        return self.path / "swarm.jsonl"

    @property
    def observer_status(self) -> Path:
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
    def final_heads(self) -> Path:
        """Every event of the chain that its stream holds in the end."""
        return self.path / CHAIN_HEADS_FILE

    @property
    def metrics(self) -> Path:
        """What the services counted, by their own pages."""
        return self.path / "metrics.json"

    @property
    def telemetry(self) -> Path:
        """What the system's parts used, each second; see `harness.analysis.resources.telemetry_reader`."""
        return self.path / TELEMETRY_FILE

    @property
    def faults(self) -> Path:
        """What became of each fault; only of runs that plan some."""
        return self.path / "faults.jsonl"

    @property
    def backup(self) -> Path:
        """Each backup that was taken, and each that was restored; only of runs that plan some."""
        return self.path / "backup.jsonl"

    @property
    def gate(self) -> Path:
        """The rounds of a gate under load, and its node; only of runs that plan one."""
        return self.path / "gate.jsonl"

    @property
    def pool(self) -> Path:
        """What was pending for which agent, a few times a second; only where they share a group."""
        return self.path / "pool.jsonl"

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


def evidence_names() -> frozenset[str]:
    """The names of everything that may lie in the folder of a run."""
    paths = RunPaths(Path("/run"))
    named = [name for name, one in vars(RunPaths).items() if isinstance(one, property)]
    found = [getattr(paths, name) for name in named]
    return frozenset(path.name for path in found if isinstance(path, Path))
