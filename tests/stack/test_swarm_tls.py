from __future__ import annotations

import selectors
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from harness.load.swarm import Swarm
from harness.scenario.models import Load, Stage
from harness.schedule.pacing import expected_count
from tests.stack.swarm_setup import PASSWORD, PROPOSALS, OwnRedis, journal, plan_for, wait_for

pytestmark = pytest.mark.stack


class TlsDoor:
    """Takes TLS connections on loopback and passes what they say on to a Redis without TLS.

    Args:
        folder: holds `key.pem` and `cert.pem`.
        port: of the Redis.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        """Take no more."""
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(plain,), daemon=True).start()

    def _pass_on(self, plain: socket.socket) -> None:
        target = socket.create_connection(("127.0.0.1", self._target))
        try:
            with self._context.wrap_socket(plain, server_side=True) as outside, target:
                _shuttle(outside, target)
        except OSError:
            return


def _shuttle(outside: ssl.SSLSocket, target: socket.socket) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(outside, selectors.EVENT_READ, target)
        selector.register(target, selectors.EVENT_READ, outside)
        while True:
            for key, _ in selector.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                data = source.recv(16_384)
                if not data:
                    return
                key.data.sendall(data)
                while isinstance(source, ssl.SSLSocket) and source.pending():
                    key.data.sendall(source.recv(16_384))


@pytest.fixture
def door(tmp_path: Path) -> Iterator[tuple[OwnRedis, TlsDoor]]:
    """A Redis behind TLS, with a certificate nobody knows."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    (tmp_path / "redis").mkdir()
    server = OwnRedis(tmp_path / "redis")
    server.start()
    opened = TlsDoor(tmp_path, server.port)
    yield server, opened
    opened.close()
    server.stop()


def test_swarm_sends_through_tls(door: tuple[OwnRedis, TlsDoor], tmp_path: Path) -> None:
    """`rediss://` is all it takes: signals, answers and chain events go through."""
    server, opened = door
    load = Load(
        warmup_s=0,
        stages=(Stage(agents=3, rate_from=2000, rate_to=2000, duration_s=0.5),),
    )
    plan = plan_for(server, load, tmp_path / "journal")
    url = SecretStr(f"rediss://:{PASSWORD}@127.0.0.1:{opened.port}/0?ssl_cert_reqs=none")
    swarm = Swarm(plan.model_copy(update={"redis_url": url}), tmp_path)
    server.block(7)
    swarm.start()
    wait_for(swarm, 15)
    assert swarm.failure() is None
    attempts, acks = journal(plan.folder)
    assert len(attempts) == len(acks) == expected_count(load, plan.seed)
    assert server.client.xlen(PROPOSALS) == len(attempts)
    assert attempts["sync_block"].max() == 7
