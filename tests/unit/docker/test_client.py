"""Which engine is asked, and the error when it cannot be used."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
from docker import errors  # type: ignore[import-untyped] # the package publishes no types
from testcontainers.core.config import testcontainers_config
from testcontainers.core.docker_client import get_docker_host
from urllib3.exceptions import ProtocolError

from harness.errors import Exit, HarnessError, UsageError
from harness.stack.docker import containers
from harness.stack.docker.client import (
    EngineError,
    connect,
    engine_address,
    engine_errors,
    errno_of,
    other_machine,
)
from harness.stack.docker.error_causes import Cause

KERNEL = "6.1.0"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without a configuration of Docker, and no variable of it; the home."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / ".docker"))
    return tmp_path


def refusal(monkeypatch: pytest.MonkeyPatch, address: str) -> HarnessError:
    """The error of an engine at an address."""
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(HarnessError) as raised:
        connect(5)
    return raised.value


@pytest.mark.parametrize(
    ("address", "cause", "code"),
    [
        ("unix:///nosuch/docker.sock", Cause.ABSENT, Exit.STACK),
        ("unix:///etc/passwd", Cause.ABSENT, Exit.STACK),
        ("unix:///etc/passwd/x", Cause.ABSENT, Exit.STACK),
        ("tcp://127.0.0.1:1", Cause.ABSENT, Exit.STACK),
        (f"unix:///{'x' * 200}", Cause.BAD_ADDRESS, Exit.USAGE),
        ("ssh://kim@box", Cause.ELSEWHERE, Exit.STACK),
        ("bogus", Cause.BAD_ADDRESS, Exit.USAGE),
        ("/var/run/docker.sock", Cause.BAD_ADDRESS, Exit.USAGE),
        ("ftp://x:1", Cause.BAD_ADDRESS, Exit.USAGE),
        ("fd://", Cause.BAD_ADDRESS, Exit.USAGE),
        ("npipe:////./pipe/docker_engine", Cause.BAD_ADDRESS, Exit.USAGE),
        ("tcp://127.0.0.1", Cause.BAD_ADDRESS, Exit.USAGE),
        ("tcp://127.0.0.1:abc", Cause.BAD_ADDRESS, Exit.USAGE),
        ("tcp://127.0.0.1:99999", Cause.BAD_ADDRESS, Exit.USAGE),
        ("tcp://[::1", Cause.BAD_ADDRESS, Exit.USAGE),
    ],
)
def test_addresses_without_an_engine(
    monkeypatch: pytest.MonkeyPatch, address: str, cause: Cause, code: Exit
) -> None:
    """One message each, which names address and variable."""
    error = refusal(monkeypatch, address)
    assert isinstance(error, EngineError)
    assert (error.cause, error.exit_code) == (cause, code)
    assert "DOCKER_HOST" in error.where
    assert error.hint


def test_a_login_in_an_address_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where nor what."""
    assert "secret" not in str(refusal(monkeypatch, "tcp://kim:secret@127.0.0.1:1"))
    assert "secret" not in str(refusal(monkeypatch, "ftp://kim:secret@127.0.0.1:1"))


def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """DOCKER_TLS_VERIFY without them, where something listens."""
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as engine:
        engine.bind(f"{tmp_path}/s")
        engine.listen()
        with pytest.raises(EngineError, match="DOCKER_CERT_PATH") as raised:
            connect(5)
    assert raised.value.cause is Cause.TLS


class _Answers(BaseHTTPRequestHandler):
    version: str | None = None

    def do_GET(self) -> None:
        body = b"<html>"
        if self.version is not None:
            body = json.dumps({"ApiVersion": self.version}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def server() -> Iterator[str]:
    """An HTTP server on loopback; its address."""
    with HTTPServer(("127.0.0.1", 0), _Answers) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"tcp://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join(5)


@pytest.mark.parametrize(
    ("version", "cause"),
    [
        (None, Cause.NO_ENGINE),
        ("1.20", Cause.ENGINE_TOO_OLD),  # the library refuses it
        ("1.40", Cause.ENGINE_TOO_OLD),  # Docker Engine 19.03; we do
    ],
)
def test_servers_that_will_not_do(
    monkeypatch: pytest.MonkeyPatch, server: str, version: str | None, cause: Cause
) -> None:
    """Something else that speaks HTTP, and engines of long ago."""
    monkeypatch.setattr(_Answers, "version", version)
    error = refusal(monkeypatch, server)
    assert isinstance(error, EngineError)
    assert error.cause is cause


def test_a_connection_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS asked for, and the server speaks none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            for _ in range(2):  # whoever knocks, and the client
                listener.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        error = refusal(monkeypatch, f"tcp://127.0.0.1:{listener.getsockname()[1]}")
    assert isinstance(error, EngineError)
    assert error.cause in {Cause.NO_ENGINE, Cause.UNREACHABLE}


def test_the_engine_of_a_context(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the docker command takes it: variable before configuration, DOCKER_HOST before both."""
    folder = environment / ".docker" / "contexts" / "meta" / sha256(b"box").hexdigest()
    folder.mkdir(parents=True)
    endpoints = {"docker": {"Host": "unix:///nosuch/box.sock"}}
    meta = {"Name": "box", "Metadata": {}, "Endpoints": endpoints}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    assert engine_address(os.environ).url == "unix:///var/run/docker.sock"

    (environment / ".docker" / "config.json").write_text(
        json.dumps({"currentContext": "box"}), encoding="utf-8"
    )
    assert engine_address(os.environ).url == "unix:///nosuch/box.sock"
    assert engine_address({"DOCKER_CONTEXT": "default"}).url == "unix:///var/run/docker.sock"
    assert engine_address({"DOCKER_CONTEXT": "box", "DOCKER_HOST": "x"}).url == "x"
    monkeypatch.setenv("DOCKER_CONTEXT", "box")
    with pytest.raises(EngineError, match="context box"):
        connect(5)


def test_a_context_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would silently take the local engine instead."""
    monkeypatch.setenv("DOCKER_CONTEXT", "nosuch")
    with pytest.raises(UsageError, match="docker context ls"):
        connect(5)


@pytest.mark.parametrize(
    "text", ["[]", '"x"', '{"auths": 3}', '{"proxies": 3}', '{"currentContext": 3}']
)
def test_a_configuration_of_another_shape(
    environment: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Named with its path; the library would fall over it."""
    (environment / ".docker").mkdir()
    config = environment / ".docker" / "config.json"
    config.write_text(text, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        if "currentContext" in text:
            monkeypatch.delenv("DOCKER_HOST")
        with pytest.raises(UsageError, match=r"config\.json|no context|cannot be read"):
            connect(1)


def test_testcontainers_is_given_the_same_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its property is older than DOCKER_HOST, and it does not read DOCKER_CONTEXT."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///ours.sock")
    monkeypatch.setitem(testcontainers_config.tc_properties, "tc.host", "tcp://elsewhere:1")
    containers._same_engine()
    assert get_docker_host() == "unix:///ours.sock"
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setattr(containers, "get_docker_host", lambda: "unix:///configured.sock")
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    containers._same_engine()
    assert os.environ.pop("DOCKER_HOST") == "unix:///var/run/docker.sock"


@pytest.mark.parametrize(
    ("url", "info", "is_other"),
    [
        ("unix:///var/run/docker.sock", {"KernelVersion": KERNEL, "Name": "box"}, False),
        ("unix:///x.sock", {"KernelVersion": "6.6-linuxkit", "Name": "docker-desktop"}, True),
        ("tcp://127.0.0.1:2375", {"KernelVersion": KERNEL, "Name": "other"}, False),
        ("tcp://[::1]:2375", {"KernelVersion": KERNEL, "Name": "other"}, False),
        ("tcp://box:2376", {"KernelVersion": KERNEL, "Name": "here"}, False),
        ("tcp://box:2376", {"KernelVersion": KERNEL, "Name": "box"}, True),
        ("https://10.1.1.1:2376", {"KernelVersion": KERNEL, "Name": "box"}, True),
        ("unix:///x.sock", {}, True),
    ],
)
def test_engines_on_other_machines(url: str, info: dict[str, str], is_other: bool) -> None:
    """By their kernel; of one kernel by their name, where the address leads away from here."""
    assert bool(other_machine(url, info, KERNEL, "here")) is is_other


def test_the_number_below_a_wrapped_error() -> None:
    """However deep, and never the number that a library gives itself."""
    inner = requests.ConnectionError(ProtocolError("aborted", PermissionError(13, "denied")))
    outer = errors.DockerException(f"while fetching: {inner}")
    outer.__cause__ = inner
    assert errno_of(outer) == 13
    assert errno_of(ValueError("x")) is None


def test_errors_within_a_request() -> None:
    """A library's own refusal is no silence of the engine; a lost engine is."""
    with pytest.raises(EngineError, match="credsStore"), engine_errors("redis:7"):
        raise errors.DockerException("Credentials store error: StoreError('x')")
    lost = requests.ConnectionError(ProtocolError("aborted", ConnectionRefusedError(111, "no")))
    with pytest.raises(EngineError, match="no container engine answers"), engine_errors("redis"):
        raise lost
