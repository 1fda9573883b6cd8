"""Zone A's stand-ins: what they say on the wire, and when."""

from __future__ import annotations

import importlib
import socket
import sys
import uuid
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.codec import Signal, decode_signal
from zone_b import defi_pb2

FOLDER = Path(__file__).resolve().parents[3] / "compose" / "zone_a"
NAMES = ("agent", "feed", "feedback", "misbehave", "wire")


def load(name: str) -> ModuleType:
    """A module of the mounted folder, imported as its container does."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))
        for one in NAMES:
            sys.modules.pop(one, None)


WIRE = load("wire")
AGENT = load("agent")
FEEDBACK = load("feedback")
REDIS = {"DEFI_REDIS_URL": "redis://:hush@h/0"}

uint64 = st.integers(min_value=0, max_value=(1 << 64) - 1)
uint32 = st.integers(min_value=0, max_value=(1 << 32) - 1)
wei = st.integers(min_value=0, max_value=1 << 256)
texts = st.text(max_size=40)


def test_the_standard_library_is_enough() -> None:
    """python:3.11-slim has nothing else."""
    for path in FOLDER.glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(("import ", "from ")):
                module = line.split()[1].split(".")[0]
                assert module in sys.stdlib_module_names or module in NAMES, f"{path}: {line}"


@given(st.uuids(), texts, uint64, uint64, texts, uint64, wei, wei, uint32, wei)
def test_a_proposal_is_what_the_bindings_write(
    trace_id: uuid.UUID,
    agent_id: str,
    block: int,
    stamp: int,
    address: str,
    chain_id: int,
    amount: int,
    capital: int,
    slippage: int,
    gas: int,
) -> None:
    """Byte for byte, and it reads back."""
    proposal = WIRE.Proposal(
        trace_id, agent_id, "s", block, stamp, address, chain_id, amount, capital, slippage, gas
    )
    data = WIRE.encode_proposal(proposal)
    swap = defi_pb2.Swap(
        strategy_id="s",
        address=address,
        chain_id=chain_id,
        token_in="WETH",
        token_out="USDC",
        amount_in=str(amount),
        capital=str(capital),
    )
    request = defi_pb2.TradeRequest(
        ctx=defi_pb2.Context(
            trace_id=str(trace_id), agent_id=agent_id, last_sync_block=block, timestamp_ms=stamp
        ),
        protocol_id="reference-amm",
        action=defi_pb2.SWAP,
        payload=swap.SerializeToString(),
        max_slippage_bps=slippage,
        gas_price_limit=str(gas),
    )
    assert data == request.SerializeToString(deterministic=True)
    assert isinstance(decode_signal(data), Signal)


@given(uint64, uint64, uint64, texts, st.binary(max_size=300))
def test_a_chain_event_is_read(block: int, sync: int, stamp: int, kind: str, data: bytes) -> None:
    """Whatever else it holds, the sync block is found."""
    event = defi_pb2.ChainEvent(
        block_number=block, sync_block=sync, sync_timestamp=stamp, kind=kind, data=data
    )
    assert WIRE.decode_sync_block(event.SerializeToString()) == sync


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Never another error than ValueError, and never for ever."""
    try:
        assert WIRE.decode_sync_block(data) >= 0
    except ValueError:
        return


rates = st.floats(min_value=0.1, max_value=1000)
steps = st.lists(st.floats(min_value=0, max_value=30), max_size=40)


@given(rates, steps)
def test_signals_are_due_by_index(rate: float, pauses: list[float]) -> None:
    """Sent and skipped together never lag behind the schedule, and no burst is above 100."""
    plan = AGENT.Schedule(rate, began_s=1000.0)
    now = 1000.0
    for pause in pauses:
        now += pause
        due = plan.due(now)
        assert 0 <= due <= 100
        plan.sent += due
        assert plan.sent + plan.skipped == int((now - 1000.0) * rate) + 1
        assert 1 <= plan.wait_ms(now) <= 9000


def test_rate_of_zero_sends_nothing() -> None:
    """The agent then only reads."""
    plan = AGENT.Schedule(0.0, began_s=5.0)
    assert plan.due(1e9) == 0
    assert plan.wait_ms(1e9) == 9000


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({}, "DEFI_REDIS_URL is missing"),
        ({**REDIS, "AGENT_RATE": "fast"}, "AGENT_RATE must be a number"),
        ({**REDIS, "AGENT_RATE": "1001"}, "AGENT_RATE must lie between 0 and 1000"),
        ({**REDIS, "AGENT_RATE": "nan"}, "AGENT_RATE must lie"),
        ({**REDIS, "AGENT_EXIT_CODE": "256"}, "AGENT_EXIT_CODE must lie"),
    ],
)
def test_wrong_settings_are_named(env: dict[str, str], message: str) -> None:
    """The variable is named, the password is not."""
    with pytest.raises(ValueError, match=message) as caught:
        AGENT.read_settings(env)
    assert "hush" not in str(caught.value)


def test_settings_of_the_compose_file() -> None:
    """AGENT_RATE of 0 and empty variables are the defaults."""
    own = AGENT.read_settings({**REDIS, "AGENT_RATE": "0", "AGENT_BURN_CPU": ""})
    assert (own.rate, own.burn_processes, own.exit_code, own.prefix) == (0, 0, 1, "dev:")
    assert (own.name, own.block_s) == (socket.gethostname(), 1)
    assert AGENT.read_settings({**REDIS, "AGENT_NAME": "p7"}).name == "p7"


def test_prompts_are_kept_up_to_a_number(tmp_path: Path) -> None:
    """The newest stay, and nothing half written."""
    for block in (9, 10, 11, 100):
        FEEDBACK.write_prompt(tmp_path, block, keep=2)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [f"block-{block:020d}.md" for block in (11, 100)]
    assert "block 100" in (tmp_path / left[1]).read_text(encoding="utf-8")


def test_feedback_settings() -> None:
    """Bounds, and a missing URL."""
    assert FEEDBACK.read_settings(REDIS).folder == Path("/prompts")
    for env in ({}, {**REDIS, "FEEDBACK_EVERY_S": "0.001"}, {**REDIS, "FEEDBACK_KEEP": "0"}):
        with pytest.raises(ValueError, match=r"missing|must lie"):
            FEEDBACK.read_settings(env)
