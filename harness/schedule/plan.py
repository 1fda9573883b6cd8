"""The plan of one swarm process: agents, times, signals and output folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from harness.contract.names import Contract
from harness.scenario.models import Load, Signals
from harness.schedule.pacing import stage_edges_ns


class SwarmPlan(BaseModel):
    """Everything a swarm process needs; it arrives on standard input, never as an argument.

    Attributes:
        t0_ns: monotonic time at which the first stage of `load.timeline()` begins.
        process: number of this process; it owns agents a with a % load.processes == process.
        watermark_max_lag: largest lag in blocks of a signal that is not stale.
        nonce_starts: first nonce of an address, by its index; for the judge.
        folder: where `attempts-<process>.bin` and `acks-<process>.bin` are written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_tag: int
    seed: int
    t0_ns: int
    process: Annotated[int, Field(ge=0)] = 0
    load: Load
    signals: Signals
    watermark_max_lag: Annotated[int, Field(ge=0)] = 2
    contract: Contract
    nonce_starts: dict[int, int] = {}
    redis_url: SecretStr
    folder: Path

    @property
    def end_ns(self) -> int:
        """Monotonic time at which the last stage ends."""
        return self.t0_ns + stage_edges_ns(self.load)[-1]

    @property
    def own_agents(self) -> tuple[int, ...]:
        """The agents of this process."""
        agents = max(stage.agents for stage in self.load.timeline())
        return tuple(range(self.process, agents, self.load.processes))

    def to_stdin(self) -> str:
        """JSON with the password in it; for a pipe only."""
        document = self.model_dump(mode="json")
        document["redis_url"] = self.redis_url.get_secret_value()
        return json.dumps(document)
