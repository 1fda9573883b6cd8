"""A sign-off is signed by a key that a real ssh-agent holds."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.evidence.signature import sign, verify

AGENT = shutil.which("ssh-agent") or ""
pytestmark = pytest.mark.skipif(not AGENT, reason="no ssh-agent")
pytest.importorskip("securesystemslib")

PAYLOAD, TYPE = b'{"a":1}', "application/vnd.in-toto+json"


def run(*words: str | Path, **environ: str) -> str:
    """The output of a program, which has to succeed."""
    done = subprocess.run(
        [*map(str, words)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return done.stdout


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of an agent without keys."""
    path = tmp_path / "agent.sock"
    with subprocess.Popen([AGENT, "-D", "-a", path], stdout=subprocess.PIPE, text=True) as own:
        assert own.stdout is not None
        own.stdout.readline()  # it listens
        try:
            yield {"SSH_AUTH_SOCK": str(path)}
        finally:
            own.terminate()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_the_agent_signs(kind: str, agent: dict[str, str], tmp_path: Path) -> None:
    """With the public key alone, which verifies it too; with another one nothing is signed."""
    key, other = tmp_path / "key", tmp_path / "other"
    for path in (key, other):
        run("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path)
    run("ssh-add", "-q", key, **agent)
    key.unlink()
    public = tmp_path / "key.pub"
    envelope = tmp_path / "x.dsse.json"
    envelope.write_text(sign(PAYLOAD, TYPE, public, agent), encoding="utf-8")
    assert verify(envelope, PAYLOAD, TYPE, public) == ""
    assert verify(envelope, PAYLOAD, TYPE, tmp_path / "other.pub")
    with pytest.raises(UsageError, match="has no such key"):
        sign(PAYLOAD, TYPE, tmp_path / "other.pub", agent)


def test_an_agent_without_keys(agent: dict[str, str], tmp_path: Path) -> None:
    """The key was removed again."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key")
    run("ssh-add", "-q", tmp_path / "key", **agent)
    run("ssh-add", "-q", "-D", **agent)
    with pytest.raises(UsageError, match="has no such key"):
        sign(PAYLOAD, TYPE, tmp_path / "key.pub", agent)


def test_a_key_that_no_agent_is_asked_for(agent: dict[str, str], tmp_path: Path) -> None:
    """RSA signatures of an agent have another form than those of a file."""
    run("ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", tmp_path / "key")
    with pytest.raises(UsageError, match="ssh-rsa"):
        sign(PAYLOAD, TYPE, tmp_path / "key.pub", agent)
