"""An RPC node of a chain that is not there (`python -m zone_b.chain_node`).

POST / takes JSON-RPC: the head counts with the clock, and the reference pool's reserves never
change. SIGUSR1 stalls its chain, as in a node that has lost its peers: it answers, and its head
does not advance; SIGUSR2 has it catch up.

The chain adapter asks it where a test wants nodes and has no network. In addition to the shared
variables it reads DEFI_CHAIN_ID (1).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge

from zone_b.amm import POOL_ADDRESS, RESERVE_IN, RESERVE_OUT, RESERVES_SLOT, reserves_word
from zone_b.env_variables import port, whole
from zone_b.http_service import Answer, Health, HttpService
from zone_b.rpc_local import LocalChain, Params
from zone_b.service_lifecycle import run_until_stopped
from zone_b.settings import Settings, read_settings


class StallableClock:
    """The time by which a node counts its blocks; it can be stalled."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self._stalled_at_ns: int | None = None

    def wall_ns(self) -> int:
        """Unix time in ns, or when it stopped."""
        stalled_at_ns = self._stalled_at_ns
        return self._now_ns() if stalled_at_ns is None else stalled_at_ns

    def stall(self) -> None:
        """Count no further."""
        self._stalled_at_ns = self.wall_ns()

    def resume(self) -> None:
        """Be up to date again."""
        self._stalled_at_ns = None


def chain_of(block_time_ns: int, chain_id: int) -> LocalChain:
    """A local chain that answers its blocks and the pool's reserves too.

    Args:
        block_time_ns: time between two blocks.
        chain_id: what it calls itself.
    """
    return LocalChain(
        block_time_ns,
        chain_id,
        {"eth_getBlockByNumber": _block, "eth_getStorageAt": _storage},
    )


def _block(params: Params) -> object:
    number = str(params[0])
    return {"number": hex(int(number, 16)), "transactions": []}


def _storage(params: Params) -> object:
    address, slot, _ = params
    held = (str(address).lower(), int(str(slot), 16)) == (POOL_ADDRESS, RESERVES_SLOT)
    return f"0x{reserves_word(RESERVE_IN, RESERVE_OUT) if held else 0:064x}"


def run(shared: Settings, chain_id: int, stop: threading.Event, watch: StallableClock) -> None:
    """Serve until the signal to stop, by the stallable clock.

    Raises:
        OSError: the port is in use.
        SettingsError: a defect is asked for that there is not.
    """
    block_time_ns = round(shared.block_time_s * 1e9)
    chain = chain_of(block_time_ns, chain_id)
    hold_up = _defect(shared)

    def answer(body: bytes) -> Answer:
        hold_up()
        return Answer(200, chain.answer(body, watch.wall_ns()))

    registry = CollectorRegistry()
    Gauge("defi_chain_head_block", "Newest block", registry=registry).set_function(
        lambda: chain.block(watch.wall_ns())
    )
    http = HttpService(
        shared.http_host, shared.http_port, registry, lambda: Health(True), {"/": answer}
    )
    http.start()
    stop.wait()
    http.stop()


def _defect(shared: Settings) -> Callable[[], None]:
    """What delays an answer; nothing unless the settings ask for it."""
    if not shared.defects:
        return lambda: None
    from zone_b.defects.node import slow_rpc  # a node without defects never loads them

    return slow_rpc(shared)


def main() -> int:
    """Run the node; the exit code."""
    return run_until_stopped("chain_node", _work)


def _work(stop: threading.Event) -> None:
    watch = StallableClock()
    signal.signal(signal.SIGUSR1, lambda *_: watch.stall())
    signal.signal(signal.SIGUSR2, lambda *_: watch.resume())
    shared = read_settings()
    port(shared.http_port)
    run(shared, whole(os.environ, "DEFI_CHAIN_ID", 1, 1, 1 << 62), stop, watch)


if __name__ == "__main__":
    sys.exit(main())
