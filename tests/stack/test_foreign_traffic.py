"""Another client at work in the same stream and the same tables, while a real run goes on."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from harness.contract.codec import decode_chain_head
from harness.contract.names import Contract
from tests.stack.conftest import REDIS_7
from tests.stack.running import RUN_MAX_S, Started, start
from tests.stack.zone_b_process import Site, until

AGENTS, EACH = 4, 10
SENT = AGENTS * EACH
ADDED = "stream_entries_added"
UNEXPECTED = "effects_unexpected"
# Whatever is not the run's: its own rows come and go while this is asked.
_OTHERS = (
    "SELECT id::text, trace_id::text, status::text, nonce, updated_at FROM trade_tasks"
    " WHERE trace_id::text LIKE '{tag}%' OR strategy_id = 'somebody' ORDER BY 2",
    "SELECT * FROM ledger_entries WHERE trace_id::text LIKE '{tag}%' ORDER BY 1, 2, 3",
)
_STRANGE_ROW = (
    "INSERT INTO trade_tasks (id, strategy_id, trace_id, status) VALUES"
    " ('{id}', 'somebody', '{trace}', '{status}') RETURNING 1"
)
pytestmark = pytest.mark.stack


def test_other_traffic_on_our_own_servers_fails_and_is_not_touched(tmp_path: Path) -> None:
    """Signals of another run tag and unattributed rows: reported, counted, not changed."""
    # The process stack takes a Redis 7 from the PATH.
    places = [str(Path(REDIS_7).parent)] * bool(REDIS_7) + [os.environ["PATH"]]
    run = start(tmp_path / "reports", 6, env={"PATH": os.pathsep.join(places)})
    run.await_load()
    site = _site_of(run, tmp_path)
    for status in ("INIT", "SIMULATED"):
        row = {"id": uuid.uuid4(), "trace": uuid.uuid4(), "status": status}
        site.rows(_STRANGE_ROW.format(**row))
    head = _head(site)
    site.send(
        site.signal(index, agent=agent, last_sync_block=head)
        for index in range(EACH)
        for agent in range(AGENTS)
    )
    until(lambda: len(_finals(site)) == SENT, "the engine has processed the others' signals")
    before = _others(site)
    assert len(before[0]) == SENT + 2
    assert len(before[1]) == 3 * SENT

    after = _last_look(run, site)
    output, _ = run.process.communicate(timeout=RUN_MAX_S)
    assert after == before, output

    result = json.loads((run.folder() / "result.json").read_text(encoding="utf-8"))
    checks = {check["id"]: check for check in result["judgement"]["checks"]}
    violated = {
        name: check["message"]
        for name, check in checks.items()
        if check["kind"] == "integrity" and check["status"] not in ("PASS", "NOT_APPLICABLE")
    }
    # Nobody else may write where the servers are our own.
    assert violated.keys() == ({UNEXPECTED, ADDED} if REDIS_7 else {UNEXPECTED}), output
    assert checks[UNEXPECTED]["status"] == "FAIL"
    assert f"{SENT + 2} FSM rows and {3 * SENT} ledger rows of no signal" in violated[UNEXPECTED]
    if REDIS_7:
        assert checks[ADDED]["status"] == "INVALID"
        assert f"another client wrote {SENT} to a stream" in violated[ADDED]
    else:
        assert checks[ADDED]["status"] == "NOT_APPLICABLE"
    assert result["measurement"]["unexpected"] == 0


def _site_of(run: Started, folder: Path) -> Site:
    """The servers of a run, as its engine has them."""
    engine = run.find("zone_b.engine")
    assert engine is not None
    reported = engine.environ()
    return Site(
        reported["DEFI_REDIS_URL"],
        reported["DEFI_PG_DSN"],
        reported["DEFI_PREFIX"],
        folder / "none.log",
    )


def _head(site: Site) -> int:
    with redis.Redis.from_url(site.redis_url) as client:
        entries: Any = client.xrevrange(f"{site.prefix}{Contract().streams.chain_events}", count=1)
    return decode_chain_head(entries[0][1][b"data"]).block_number


def _tag(site: Site) -> str:
    digits = f"{site.run_tag:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _others(site: Site) -> tuple[list[tuple[Any, ...]], ...]:
    return tuple(site.rows(query.format(tag=_tag(site))) for query in _OTHERS)


def _finals(site: Site) -> list[tuple[Any, ...]]:
    return [row for row in _others(site)[0] if row[2] == "SIMULATED" and row[3] is not None]


def _last_look(run: Started, site: Site) -> tuple[list[tuple[Any, ...]], ...]:
    """The others' rows as they are when the run takes its servers down."""
    found = _others(site)

    def gone() -> bool:
        nonlocal found
        try:
            found = _others(site)
        except psycopg.Error:
            return True
        return run.process.poll() is not None

    until(gone, "the run is over", RUN_MAX_S)
    return found
