"""The input of the telemetry process."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from harness.contract.names import Contract

LOG_FILE = "telemetry.log"


class TelemetryPlan(BaseModel):
    """Everything the process needs; the first line of its standard input, never an argument.

    Attributes:
        conninfo: of a role that may see the sessions of others; for reading only.
        redis_url: with the password; for reading only.
        metrics_urls: Prometheus pages by service.
        path: the file to append to.
        every_ns: interval between two samples.
        services: first process of each service; later lines may replace them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    conninfo: SecretStr
    redis_url: SecretStr
    metrics_urls: dict[str, str] = {}
    contract: Contract = Contract()
    path: Path
    every_ns: int = Field(gt=0)
    services: dict[str, int] = {}

    def to_stdin(self) -> str:
        """One line of JSON with the secrets in it; for a pipe only."""
        document = self.model_dump(mode="json")
        document["conninfo"] = self.conninfo.get_secret_value()
        document["redis_url"] = self.redis_url.get_secret_value()
        return json.dumps(document) + "\n"
