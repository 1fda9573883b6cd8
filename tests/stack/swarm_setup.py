"""A Redis of one's own and a swarm that sends to it: for tests and benchmarks of the swarm."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.clock import NS_PER_S
from harness.contract import defi_pb2
from harness.contract.names import Contract
from harness.evidence.records import ACK, ATTEMPT, Records, read_records
from harness.load.swarm import Swarm
from harness.scenario.models import Load, Signals
from harness.schedule.plan import SwarmPlan
from harness.stack.ports import free_port
from harness.stack.process.redis import RedisBinary, find_binary

PASSWORD = "throwaway"
CONTRACT = Contract(prefix="test:")
PROPOSALS = CONTRACT.key(CONTRACT.streams.proposals)
CHAIN_EVENTS = CONTRACT.key(CONTRACT.streams.chain_events or "")
# From the plan to the first signal: a worker needs less than a second on an idle machine.
LEAD_NS = 3 * NS_PER_S // 2
START_MAX_S = 10.0


class OwnRedis:
    """A Redis that a test may stop and start as it likes; keeps its data.

    Args:
        folder: for its append-only file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.binary: RedisBinary = find_binary()
        self.port = free_port()
        self.url = SecretStr(f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0")
        self.client = redis.Redis(
            port=self.port, password=PASSWORD, socket_timeout=5, retry=Retry(NoBackoff(), 0)
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it has loaded its data."""
        config = self.folder / "redis.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\nrequirepass {PASSWORD}\n"
            f'appendonly yes\nsave ""\ndir {self.folder}\n'
        )
        self._process = subprocess.Popen(
            [self.binary.path, config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + START_MAX_S
        while True:
            try:
                self.client.ping()
            except redis.RedisError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        """Kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """The end."""
        self.client.close()
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def block(self, number: int) -> None:
        """A new head of the chain."""
        event = defi_pb2.ChainEvent(block_number=number, sync_block=number, kind="head")
        self.client.xadd(CHAIN_EVENTS, {CONTRACT.streams.field: event.SerializeToString()})


class Chain:
    """Advances the chain from a thread until it is closed.

    Args:
        server: where to.
        block_time_s: time between blocks.
    """

    def __init__(self, server: OwnRedis, block_time_s: float) -> None:
        self._server = server
        self._block_time_s = block_time_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._advance, daemon=True)
        self.number = 100

    def __enter__(self) -> Chain:
        self._server.block(self.number)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _advance(self) -> None:
        while not self._over.wait(self._block_time_s):
            try:
                self._server.block(self.number + 1)
            except redis.RedisError:
                continue
            self.number += 1


def plan_for(
    server: OwnRedis, load: Load, folder: Path, *, lead_ns: int = LEAD_NS, **signals: Any
) -> SwarmPlan:
    """A plan that begins as soon as a worker can, or after `lead_ns`."""
    folder.mkdir(exist_ok=True)
    return SwarmPlan(
        run_tag=0xC0FFEE,
        seed=11,
        t0_ns=time.monotonic_ns() + lead_ns,
        load=load,
        signals=Signals(**signals),
        contract=CONTRACT,
        redis_url=server.url,
        folder=folder,
    )


def journal(folder: Path, process: int = 0) -> tuple[Records, Records]:
    """ATTEMPT and ACK records of one process; torn ones would be a mistake here."""
    attempts, torn_attempts = read_records(folder / f"attempts-{process}.bin", ATTEMPT)
    acks, torn_acks = read_records(folder / f"acks-{process}.bin", ACK)
    assert torn_attempts == torn_acks == 0
    return attempts, acks


def names(records: Records) -> list[tuple[int, int]]:
    """Trace ids in order."""
    return list(zip(records["trace_hi"].tolist(), records["trace_lo"].tolist(), strict=True))


def lateness_ms(attempts: Records) -> np.ndarray[Any, np.dtype[np.float64]]:
    """How late each signal was sent."""
    late: np.ndarray[Any, np.dtype[np.float64]] = (
        attempts["sent_ns"] - attempts["intended_ns"]
    ) / 1e6
    return late


def wait_for(swarm: Swarm, seconds: float) -> None:
    """Until the swarm is gone."""
    until = time.monotonic() + seconds
    while not swarm.ended():
        assert time.monotonic() < until, [child.log_tail() for child in swarm.children]
        time.sleep(0.02)
    swarm.stop()
