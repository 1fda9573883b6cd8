"""`reports/<run-id>/`: the path of each file of evidence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.evidence.run_documents import CHAIN_HEADS_FILE, TELEMETRY_FILE


@dataclass(frozen=True, slots=True)
class RunPaths:
    """Paths in the folder of one run; all are absolute.

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
        """The scenario, with every override resolved."""
        return self.path / "scenario.toml"

    @property
    def environment(self) -> Path:
        """Host, versions and commit of the run."""
        return self.path / "environment.json"

    @property
    def plan(self) -> Path:
        """The plan of the swarm."""
        return self.path / "plan.json"

    @property
    def run(self) -> Path:
        """Times and events of the run."""
        return self.path / "run.json"

    @property
    def stack(self) -> Path:
        """Description of the system under test."""
        return self.path / "stack.json"

    @property
    def journal(self) -> Path:
        """Folder of the swarm's attempts and Redis's answers."""
        return self.path / "journal"

    @property
    def sightings(self) -> Path:
        """FSM row versions that the observer recorded."""
        return self.path / "sightings.bin"

    @property
    def reads(self) -> Path:
        """The observer's reads that returned sightings; empty where it reads the log."""
        return self.path / "reads.bin"

    @property
    def observer(self) -> Path:
        """Summary of the observer at its end."""
        return self.path / "observer.json"

    @property
    def clock(self) -> Path:
        """Probes of the servers' clocks."""
        return self.path / "clock.jsonl"

    @property
    def stream(self) -> Path:
        """Samples of the proposals stream and its group, a few a second."""
        return self.path / "redis.jsonl"

    @property
    def self_monitoring(self) -> Path:
        """Self-monitoring of the harness's processes and the host, each second."""
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
        """The FSM table after the drain."""
        return self.path / "final-tasks.bin"

    @property
    def final_ledger(self) -> Path:
        """The ledger after the drain."""
        return self.path / "final-ledger.bin"

    @property
    def final_bookings(self) -> Path:
        """Booked amounts after the drain."""
        return self.path / "final-bookings.bin"

    @property
    def final_stamps(self) -> Path:
        """Timestamps of the last change of the FSM rows."""
        return self.path / "final-stamps.bin"

    @property
    def final_heads(self) -> Path:
        """Every event of the chain in its stream after the drain."""
        return self.path / CHAIN_HEADS_FILE

    @property
    def metrics(self) -> Path:
        """Counters of the services, from their metrics pages."""
        return self.path / "metrics.json"

    @property
    def telemetry(self) -> Path:
        """Telemetry of the system, each second; see `harness.analysis.resources.telemetry`."""
        return self.path / TELEMETRY_FILE

    @property
    def faults(self) -> Path:
        """Record of each fault; only of runs that plan faults."""
        return self.path / "faults.jsonl"

    @property
    def backup(self) -> Path:
        """Records of backups and restores; only of runs that plan backups."""
        return self.path / "backup.jsonl"

    @property
    def gate(self) -> Path:
        """Rounds of a gate under load, and its node; only of runs that plan a gate."""
        return self.path / "gate.jsonl"

    @property
    def pool(self) -> Path:
        """Pending events by agent, a few times a second; only where agents share a group."""
        return self.path / "pool.jsonl"

    @property
    def scale_out(self) -> Path:
        """Steps of a scale-out, and the services beside them; only of runs that plan steps."""
        return self.path / "scale-out.jsonl"

    @property
    def final(self) -> Path:
        """Nonce rows and server figures after the drain."""
        return self.path / "final.json"

    @property
    def defects(self) -> Path:
        """Actions of enabled defects, reported by the reference services themselves.

        For people and for tests of the judge, which never reads it.
        """
        return self.path / "defects.jsonl"

    @property
    def logs(self) -> Path:
        """Folder of the processes' logs."""
        return self.path / "logs"

    @property
    def histograms(self) -> Path:
        """Folder of histogram logs."""
        return self.path / "histograms"

    @property
    def seal(self) -> Path:
        """Digest of each file of evidence at the end of the run."""
        return self.path / "seal.json"

    @property
    def result(self) -> Path:
        """Measurement and judgement."""
        return self.path / "result.json"


def evidence_names() -> frozenset[str]:
    """The names of all files and folders that a run may write."""
    paths = RunPaths(Path("/run"))
    named = [name for name, one in vars(RunPaths).items() if isinstance(one, property)]
    found = [getattr(paths, name) for name in named]
    return frozenset(path.name for path in found if isinstance(path, Path))
