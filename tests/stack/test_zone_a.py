"""Zone A's stand-ins as programs: agent, feedback and portal."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from harness.analysis.integrity.pending_takeover import analyze_takeover, read_pending_snapshots
from harness.clock import SystemClock
from harness.contract.codec import decode_signal
from harness.contract.names import Contract
from harness.observe.stream_samplers import PendingSampler
from harness.stack.ports import free_port
from tests.stack.conftest import Redis
from tests.stack.zone_b_program import COMPOSE, PATIENCE_S, eventually
from zone_b import defi_pb2

pytestmark = pytest.mark.stack


@pytest.fixture
def prefix() -> str:
    """Keys of this test's own."""
    return f"a{uuid.uuid4().hex[:8]}:"


@pytest.fixture
def client(redis_server: Redis) -> Iterator[redis.Redis]:
    """A client of the session's Redis."""
    with redis.Redis.from_url(redis_server.url) as made:
        yield made


def add_block(client: redis.Redis, prefix: str, block: int) -> None:
    """A chain event."""
    event = defi_pb2.ChainEvent(block_number=block, sync_block=block, kind="new_head")
    client.xadd(f"{prefix}stream:chain:events", {"data": event.SerializeToString()})


@contextmanager
def program(*argv: str, log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program, ended at the end of the block."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            argv, env={"PATH": os.environ["PATH"], **env}, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_agent_reads_acknowledges_and_pushes(
    client: redis.Redis, redis_server: Redis, prefix: str, tmp_path: Path
) -> None:
    """It takes up what it left unread, pushes with the head it saw, and removes its group."""
    events, group = f"{prefix}stream:chain:events", f"cg:agent:{socket.gethostname()}"
    add_block(client, prefix, 40)
    client.xgroup_create(events, group, id="0")
    client.xreadgroup(group, f"agent-{socket.gethostname()}", {events: ">"})
    with program(
        sys.executable,
        str(COMPOSE / "zone_a" / "agent.py"),
        log=tmp_path / "log",
        DEFI_REDIS_URL=redis_server.url,
        DEFI_PREFIX=prefix,
        AGENT_RATE="50",
    ) as process:
        add_block(client, prefix, 41)
        proposals = f"{prefix}stream:agent:proposals"
        eventually(lambda: client.xlen(proposals) > 5, "signals")
        eventually(
            lambda: (
                client.xinfo_groups(events)[0]["last-delivered-id"]
                == client.xinfo_stream(events)["last-generated-id"]
            ),
            "events read",
        )
        eventually(lambda: client.xpending(events, group)["pending"] == 0, "events acknowledged")
        entries: Any = client.xrange(proposals)
        signals = [decode_signal(fields[b"data"]) for _, fields in entries]
        assert len({signal.trace_id for signal in signals}) == len(signals)
        assert {signal.last_sync_block for signal in signals} <= {40, 41}
        assert {signal.agent_id for signal in signals} == {f"agent-{socket.gethostname()}"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, (tmp_path / "log").read_text()
    assert client.xinfo_groups(events) == []


def test_agent_misbehaves_on_demand(
    client: redis.Redis, redis_server: Redis, prefix: str, tmp_path: Path
) -> None:
    """It holds touched memory, burns in children that end with it, and exits as configured."""
    with program(
        sys.executable,
        str(COMPOSE / "zone_a" / "agent.py"),
        log=tmp_path / "log",
        DEFI_REDIS_URL=redis_server.url,
        DEFI_PREFIX=prefix,
        AGENT_HOG_MEMORY_MB="64",
        AGENT_BURN_CPU="1",
        AGENT_EXIT_AFTER_S="0.5",
        AGENT_EXIT_CODE="7",
    ) as process:
        watched = psutil.Process(process.pid)
        eventually(lambda: len(watched.children()) == 1, "a burning child")
        (burner,) = watched.children()
        assert watched.memory_info().rss > 64 << 20
        eventually(lambda: burner.cpu_times().user > 0.02, "the child burns")
        assert process.wait(PATIENCE_S) == 7
        eventually(lambda: not burner.is_running(), "the child ends with its parent")


def test_agents_that_share_a_group_take_over_from_a_dead_one(
    client: redis.Redis, redis_server: Redis, prefix: str, tmp_path: Path
) -> None:
    """An entry that a consumer never acknowledged is claimed, and the record says by whom."""
    path = tmp_path / "pool.jsonl"
    watch = PendingSampler(redis_server.url, Contract(prefix=prefix), path, SystemClock())
    watch.poll()
    events = f"{prefix}stream:chain:events"
    add_block(client, prefix, 40)
    client.xgroup_create(events, "cg:agents", id="0")
    client.xreadgroup("cg:agents", "agent-dead", {events: ">"})
    with program(
        sys.executable,
        str(COMPOSE / "zone_a" / "agent.py"),
        log=tmp_path / "log",
        DEFI_REDIS_URL=redis_server.url,
        DEFI_PREFIX=prefix,
        AGENT_GROUP="cg:agents",
        AGENT_THINK_S="0.2",
        AGENT_CLAIM_AFTER_S="0.4",
    ) as process:

        def holders() -> list[str]:
            watch.poll()
            return list(read_pending_snapshots(path.read_text().splitlines())[-1].pending or ())

        own = f"agent-{socket.gethostname()}"
        assert holders() == ["agent-dead"]
        eventually(lambda: holders() == [own], "the event is claimed")
        eventually(lambda: holders() == [], "and acknowledged")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0, (tmp_path / "log").read_text()
    first, *snapshots = read_pending_snapshots(path.read_text().splitlines())
    assert first.pending is None, "there was no group yet"
    assert analyze_takeover(snapshots, "dead", 0).claimed == {own: 1}
    watch.end(0)
    consumers: Any = client.xinfo_consumers(events, "cg:agents")
    assert [one["name"] for one in consumers] == [b"agent-dead"], "it left, and the group stays"


def test_agent_floods_and_leaks_on_demand(
    client: redis.Redis, redis_server: Redis, prefix: str, tmp_path: Path
) -> None:
    """As the environment of an agent asks, at the rates that it asks."""
    events = f"{prefix}stream:chain:events"
    add_block(client, prefix, 40)
    with program(
        sys.executable,
        str(COMPOSE / "zone_a" / "agent.py"),
        log=tmp_path / "log",
        DEFI_REDIS_URL=redis_server.url,
        DEFI_PREFIX=prefix,
        AGENT_FLOOD_REDIS="1",
        AGENT_FLOOD_PER_S="400",
        AGENT_LEAK_GROUPS="50",
    ):
        flood = f"{prefix}agent:flood:{socket.gethostname()}"
        eventually(lambda: client.xlen(flood) > 30, "a flood")
        eventually(lambda: len(client.xinfo_groups(events)) > 10, "groups leak")
    before = client.xlen(flood)
    assert before < 400 * PATIENCE_S, "it kept to its rate"


def test_the_text_of_the_abuse_is_enough(
    client: redis.Redis, redis_server: Redis, prefix: str
) -> None:
    """Handed to an interpreter that has no such file; the password is in its environment alone."""
    text = (COMPOSE / "zone_a" / "misbehave.py").read_text(encoding="utf-8")
    events, key = f"{prefix}stream:chain:events", f"{prefix}flood"
    add_block(client, prefix, 40)
    for words in (("flood", "0.5", "2", "0", key), ("leak", "0.5", "100", events, "cg:leak:")):
        done = subprocess.run(
            [sys.executable, "-c", text, "a-mark", *words],
            env={"PATH": os.environ["PATH"], "DEFI_REDIS_URL": redis_server.url},
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
    assert 1_000 <= client.xlen(key) < 1_300, "as many as it keeps"
    names = [group["name"] for group in client.xinfo_groups(events)]
    assert names
    assert {name[:8] for name in names} == {b"cg:leak:"}
    assert len(names) <= 51


def test_agent_gives_up_on_a_redis_that_stays_away(tmp_path: Path) -> None:
    """With an exit code that its restart policy counts, and no password in the log."""
    with program(
        sys.executable,
        str(COMPOSE / "zone_a" / "agent.py"),
        log=tmp_path / "log",
        DEFI_REDIS_URL=f"redis://:hush@127.0.0.1:{free_port()}/0",
        AGENT_PATIENCE_S="0",
    ) as process:
        assert process.wait(PATIENCE_S) == 1
    words = (tmp_path / "log").read_text()
    assert "Redis was away" in words
    assert "hush" not in words


def test_agents_that_wait_long_end_at_once_and_leave_nothing_pending(
    client: redis.Redis, redis_server: Redis, prefix: str, tmp_path: Path
) -> None:
    """Each gets its turn in a shared group; SIGTERM ends the wait in Redis."""
    events, group = f"{prefix}stream:chain:events", "cg:agents"
    with ExitStack() as stack:
        agents = [
            stack.enter_context(
                program(
                    sys.executable,
                    str(COMPOSE / "zone_a" / "agent.py"),
                    log=tmp_path / f"log-{number}",
                    DEFI_REDIS_URL=redis_server.url,
                    DEFI_PREFIX=prefix,
                    AGENT_NAME=f"p{number}",
                    AGENT_GROUP=group,
                    AGENT_BLOCK_S="9",
                )
            )
            for number in range(3)
        ]
        eventually(lambda: _waiting(client) == 3, "three that wait")
        for block in range(3):
            add_block(client, prefix, block + 1)
            eventually(lambda: client.xpending(events, group)["pending"] == 0, "acknowledged")
            eventually(lambda: _waiting(client) == 3, "all wait again")
        for process in agents:
            process.send_signal(signal.SIGTERM)
        # Without that they would wait for 9 s.
        assert [process.wait(8) for process in agents] == [0, 0, 0]
    assert client.xinfo_consumers(events, group) == []
    assert client.xpending(events, group)["pending"] == 0


def _waiting(client: redis.Redis) -> int:
    """How many connections wait in Redis for an event of a group."""
    found: Any = client.client_list()
    return sum(one["cmd"] == "xreadgroup" and "b" in one["flags"] for one in found)


def test_feedback_writes_prompts(
    client: redis.Redis, redis_server: Redis, prefix: str, tmp_path: Path
) -> None:
    """One file per new head that it sees."""
    folder = tmp_path / "prompts"
    with program(
        sys.executable,
        str(COMPOSE / "zone_a" / "feedback.py"),
        log=tmp_path / "log",
        DEFI_REDIS_URL=redis_server.url,
        DEFI_PREFIX=prefix,
        PROMPTS_DIR=str(folder),
        FEEDBACK_EVERY_S="0.02",
    ):
        for block in (7, 9):
            add_block(client, prefix, block)
            path = folder / f"block-{block:020d}.md"
            eventually(path.exists, f"a prompt of block {block}")
    assert client.xinfo_groups(f"{prefix}stream:chain:events") == []


@pytest.mark.skipif(shutil.which("node") is None, reason="the portal needs node")
def test_portal_serves_one_page_over_tls(tmp_path: Path) -> None:
    """With a certificate of its own that holds for localhost."""
    log = tmp_path / "log"
    with program(
        "node",
        str(COMPOSE / "portal" / "portal.js"),
        log=log,
        PORTAL_LISTEN_HOST="127.0.0.1",
        PORTAL_LISTEN_PORT="0",
    ) as process:
        eventually(lambda: b"listening" in log.read_bytes(), "listening")
        match = re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text())
        assert match is not None
        port = int(match[1])
        context = ssl.create_default_context(
            cadata=ssl.get_server_certificate(("127.0.0.1", port), timeout=5)
        )
        answers = {}
        for method, path in (("GET", "/healthz"), ("GET", "/"), ("GET", "/x"), ("POST", "/")):
            with closing(
                http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)
            ) as connection:
                connection.request(method, path)
                response = connection.getresponse()
                answers[f"{method} {path}"] = (response.status, response.read())
        assert answers["GET /healthz"] == (200, b"ok\n")
        assert b"<h1>Admin portal" in answers["GET /"][1]
        assert (answers["GET /x"][0], answers["POST /"][0]) == (404, 405)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
