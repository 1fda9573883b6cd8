"""Full simulation on a real Anvil node."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.stack.ports import free_port
from harness.stack.process.anvil import AnvilNode, find_anvil
from tests.stack.zone_b_process import ETHER, ROOT, Site, site, until
from zone_b.amm import SimulationRevertedError
from zone_b.full import FullSimulator
from zone_b.lite import LiteSimulator

__all__ = ["site"]  # a fixture that this module uses by its name

pytestmark = pytest.mark.stack

Node = tuple[str, subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node's URL and process."""
    try:
        binary = find_anvil(ROOT)
    except UsageError as error:
        pytest.skip(f"no Anvil: {error.hint}")
    folder: Path = tmp_path_factory.mktemp("anvil")
    node = AnvilNode(binary, folder, folder / "log")
    program = node.program(free_port())
    with program.log.open("ab") as log:
        process = subprocess.Popen(
            program.argv,
            stdout=log,
            stderr=log,
            env={**os.environ, "HOME": str(folder), "TMPDIR": str(folder)},
        )
    try:
        until(node.is_ready, "anvil answers")
        yield node.url, process
    finally:
        process.kill()
        process.wait(5)


def test_full_and_lite_agree(anvil: Node) -> None:
    """The same contract on the same state gives the same answer on both machines."""
    amounts = [1, 10**12, ETHER, 2 * ETHER, 10**24]
    full, lite = FullSimulator(anvil[0]), LiteSimulator()
    answers = full.simulate(amounts, head=1)
    full.close()
    assert isinstance(answers[0], SimulationRevertedError)
    assert answers[1:] == [lite.simulate(amount, 1) for amount in amounts[1:]]


def test_large_and_staged_signals_go_to_the_node(site: Site, anvil: Node) -> None:
    """Full signals reach SIMULATED beside lite ones, in the order of the stream."""
    site.env = {"DEFI_ANVIL_URL": anvil[0]}
    site.start()
    site.send(
        site.signal(i, amount_in=2 * ETHER if i % 3 == 0 else ETHER, staged=i % 3 == 1)
        for i in range(60)
    )
    site.await_idle()
    assert site.rows("SELECT nonce FROM trade_tasks ORDER BY trace_id") == [
        (nonce,) for nonce in range(60)
    ]
    site.assert_sound()
    assert site.metric('defi_signals_total{mode="full",status="SIMULATED"}') == 40
    assert site.metric('defi_rpc_request_duration_ms_count{node="anvil"}') >= 1


def test_first_signal_of_a_block_goes_to_the_node(site: Site, anvil: Node) -> None:
    """When configured so, the engine simulates each strategy's first signal of a block in full."""
    site.env = {"DEFI_ANVIL_URL": anvil[0], "DEFI_FULL_FIRST_IN_BLOCK": "1"}
    site.start()
    site.send(site.signal(i, agent=a) for i in range(5) for a in range(3))
    site.await_idle()
    assert site.statuses() == {"SIMULATED": 15}
    assert site.metric('defi_signals_total{mode="full",status="SIMULATED"}') == 3


def test_a_stuck_node_times_out(site: Site, anvil: Node) -> None:
    """A node that hangs costs its signals, with the reason, and no lite signal; then it heals."""
    url, process = anvil
    site.env = {"DEFI_ANVIL_URL": url}
    site.start()
    process.send_signal(signal.SIGSTOP)
    try:
        site.send([site.signal(0, staged=True), site.signal(1), site.signal(2, agent=1)])
        site.await_idle()
    finally:
        process.send_signal(signal.SIGCONT)
    assert site.statuses() == {"SIMULATION_TIMEOUT": 1, "SIMULATED": 2}
    site.send([site.signal(3, staged=True)])
    site.await_idle()
    assert site.statuses() == {"SIMULATION_TIMEOUT": 1, "SIMULATED": 3}
    site.assert_sound()
