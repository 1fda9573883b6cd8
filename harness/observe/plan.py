"""The input of the observer process."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr

from harness.contract.names import Contract
from harness.contract.observation import MethodName, ObservationMethod

__all__ = [
    "CLOCK_FILE",
    "OBSERVER_FILE",
    "READS_FILE",
    "SIGHTINGS_FILE",
    "STATUS_FILE",
    "ObservationMethod",
    "ObserverPlan",
]

SIGHTINGS_FILE = "sightings.bin"
READS_FILE = "reads.bin"
CLOCK_FILE = "clock.jsonl"
STREAM_FILE = "redis.jsonl"
OBSERVER_FILE = "observer.json"
STATUS_FILE = "observer.jsonl"


class ObserverPlan(BaseModel):
    """Everything the observer process needs; it arrives on standard input, never as an argument.

    Attributes:
        observer_dsn: conninfo of the read-only role; LOGICAL needs it to have REPLICATION.
        redis_url: server whose clock is probed and whose stream is sampled; None for neither.
        run_tag: run whose signals are written; those of other runs are only counted.
        folder: the run's folder, where observations are written.
        method: POLLING for a server whose `wal_level` is below `logical`; NOTIFICATION and STREAM
            rely on reports of the system, STREAM at `redis_url`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    observer_dsn: SecretStr
    redis_url: SecretStr | None = None
    contract: Contract = Contract()
    run_tag: int
    folder: Path
    method: MethodName = ObservationMethod.LOGICAL

    def to_stdin(self) -> str:
        """JSON with the secrets in it; for a pipe only."""
        document = self.model_dump(mode="json")
        document["observer_dsn"] = self.observer_dsn.get_secret_value()
        if self.redis_url is not None:
            document["redis_url"] = self.redis_url.get_secret_value()
        return json.dumps(document)
