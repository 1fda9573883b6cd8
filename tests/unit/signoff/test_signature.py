"""A signature covers the decision and the root hash, and is checked with the public key alone."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.assessment.attestation import PAYLOAD_TYPE, PREDICATE_TYPE, payload, statement
from harness.assessment.signoff import ImageFacts
from harness.cli.signoff import sign as sign_command
from harness.cli.signoff import signature_of
from harness.cli.signoff import verify as verify_command
from harness.errors import EvidenceError, UsageError
from harness.evidence.signature import INSTALL, PASSWORD, sign, verify
from harness.evidence.ssh_agent import SOCKET
from tests.fuzz.hostile import edit
from tests.unit.signoff.signoffs import finished, lossy, policy_text

pytest.importorskip("securesystemslib")
pytest.importorskip("cryptography")

from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

PAYLOAD = b'{"a":1}'
KEYS: dict[str, Callable[[], Any]] = {
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ecdsa": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
}


def key_files(path: Path, kind: str = "ed25519", password: str = "", form: str = "pem") -> Path:
    """A private key, and the public one beside it, with `.pub`."""
    key = KEYS[kind]()
    lock = pem.BestAvailableEncryption(password.encode()) if password else pem.NoEncryption()
    is_ssh = form == "ssh"
    private = key.private_bytes(
        pem.Encoding.PEM, pem.PrivateFormat.OpenSSH if is_ssh else pem.PrivateFormat.PKCS8, lock
    )
    public = key.public_key().public_bytes(
        pem.Encoding.OpenSSH if is_ssh else pem.Encoding.PEM,
        pem.PublicFormat.OpenSSH if is_ssh else pem.PublicFormat.SubjectPublicKeyInfo,
    )
    path.write_bytes(private)
    path.with_name(f"{path.name}.pub").write_bytes(public)
    return path


def public_of(key: Path) -> Path:
    """The public key of a private one."""
    return key.with_name(f"{key.name}.pub")


@pytest.mark.parametrize("form", ["pem", "ssh"])
@pytest.mark.parametrize("kind", KEYS)
def test_every_kind_of_key(kind: str, form: str, tmp_path: Path) -> None:
    """Signed, and verified; not by another key, nor of other bytes."""
    key, other = key_files(tmp_path / "key", kind, form=form), key_files(tmp_path / "other", kind)
    envelope = tmp_path / "x.dsse.json"
    envelope.write_text(sign(PAYLOAD, PAYLOAD_TYPE, key, {}), encoding="utf-8")
    assert verify(envelope, PAYLOAD, PAYLOAD_TYPE, public_of(key)) == ""
    assert verify(envelope, PAYLOAD, PAYLOAD_TYPE, public_of(other))
    assert verify(envelope, PAYLOAD + b" ", PAYLOAD_TYPE, public_of(key))
    assert verify(envelope, PAYLOAD, "text/plain", public_of(key))


@pytest.mark.parametrize("field", ["payload", "payloadType"])
def test_a_changed_envelope(field: str, tmp_path: Path) -> None:
    """The signature covers type and payload."""
    key, envelope = key_files(tmp_path / "key"), tmp_path / "x.dsse.json"
    envelope.write_text(sign(PAYLOAD, PAYLOAD_TYPE, key, {}), encoding="utf-8")
    edit(envelope, lambda document: document.update({field: "e30="}))
    assert verify(envelope, PAYLOAD, PAYLOAD_TYPE, public_of(key))


@pytest.mark.parametrize("document", [[], {}, {"payload": 1}, {"payload": "!", "signatures": [1]}])
def test_no_envelope(document: object, tmp_path: Path) -> None:
    """Whatever it is, it ends in a sentence."""
    key, envelope = key_files(tmp_path / "key"), tmp_path / "x.dsse.json"
    envelope.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(EvidenceError, match="no DSSE envelope"):
        verify(envelope, PAYLOAD, PAYLOAD_TYPE, public_of(key))


@pytest.mark.parametrize("form", ["pem", "ssh"])
def test_the_password_comes_from_the_environment(form: str, tmp_path: Path) -> None:
    """A wrong one, and none, are refused; neither is repeated."""
    key = key_files(tmp_path / "key", password="hunter2", form=form)
    assert sign(PAYLOAD, PAYLOAD_TYPE, key, {PASSWORD: "hunter2"})
    for environ in ({}, {PASSWORD: "wrong-one"}):
        with pytest.raises(UsageError) as caught:
            sign(PAYLOAD, PAYLOAD_TYPE, key, environ)
        assert "wrong-one" not in str(caught.value)
        assert PASSWORD in str(caught.value)


def test_no_key(tmp_path: Path) -> None:
    """A missing file, another file, a public key in place of a private one."""
    key = key_files(tmp_path / "key")
    (tmp_path / "text").write_text("no key", encoding="utf-8")
    for path in (tmp_path / "away", tmp_path / "text", public_of(key), tmp_path):
        with pytest.raises(UsageError):
            sign(PAYLOAD, PAYLOAD_TYPE, path, {})


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that installs it is named."""
    key = key_files(tmp_path / "key")
    monkeypatch.setitem(sys.modules, "securesystemslib", None)
    with pytest.raises(UsageError) as caught:
        sign(PAYLOAD, PAYLOAD_TYPE, key, {})
    assert INSTALL in str(caught.value)


def test_a_sign_off_is_signed_and_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the commands, also where it is not signed off."""
    key = key_files(tmp_path / "key", password="hunter2")
    monkeypatch.setenv(PASSWORD, "hunter2")
    folder, made = finished(tmp_path, policy_text("load"), lossy)
    sign_command(made.archive, key=key)
    assert signature_of(made.archive) == signature_of(folder.path)
    verify_command(made.archive, public_key=public_of(key))
    document = json.loads(signature_of(folder.path).read_text(encoding="utf-8"))
    assert document["payloadType"] == PAYLOAD_TYPE
    assert "hunter2" not in capsys.readouterr().out


def test_what_is_tampered_with_is_not_signed(tmp_path: Path) -> None:
    """A signature says that it was verified."""
    key = key_files(tmp_path / "key")
    folder, _ = finished(tmp_path, policy_text("load"))
    (folder.path / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(EvidenceError, match="file_added"):
        sign_command(folder.path, key=key)
    assert not signature_of(folder.path).exists()


def test_the_statement(tmp_path: Path) -> None:
    """Its subjects are the images by digest and the root; its predicate has every criterion."""
    _, made = finished(tmp_path, policy_text("first", "second"), lossy)
    digest = "a" * 64
    images = (
        ImageFacts(service="engine", image="me/engine:1", image_id=f"sha256:{'b' * 64}",
                   repo_digests=(f"me/engine@sha256:{digest}",)),
        ImageFacts(service="redis", image="redis:7.2", image_id=f"sha256:{'c' * 64}"),
        ImageFacts(service="archiver", image="me/engine:1", image_id="",
                   repo_digests=(f"me/engine@sha256:{digest}",)),
    )  # fmt: skip
    result = made.result.model_copy(update={"images": images})
    found = statement(result, made.root)
    assert [one["digest"]["sha256"] for one in found["subject"]] == [digest, "c" * 64, made.root]
    assert found["predicateType"] == PREDICATE_TYPE
    predicate = found["predicate"]
    assert (predicate["result"], predicate["decision"]) == ("FAILED", "NOT_SIGNED_OFF")
    assert (predicate["failedTests"], predicate["passedTests"]) == (["first"], ["second"])
    assert payload(result, made.root) == payload(result, made.root)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\x00",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01\x0e",
        b"\x00\x00\x00\x09\x0e\x00\x00\x00\xffabcd",
        b"\x00\x00\x00\x0d\x0e\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00",
    ],
)
def test_an_agent_that_answers_wrongly(answer: bytes, tmp_path: Path) -> None:
    """Ends in a sentence, whatever it answers."""
    key, path = key_files(tmp_path / "key"), tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(UsageError, match="no ssh-agent can be used"):
            sign(PAYLOAD, PAYLOAD_TYPE, public_of(key), {SOCKET: str(path)})
        thread.join(5)


def test_without_an_agent(tmp_path: Path) -> None:
    """A public key alone signs nothing."""
    key = key_files(tmp_path / "key")
    for environ in ({}, {SOCKET: str(tmp_path / "away")}):
        with pytest.raises(UsageError, match="no ssh-agent can be used"):
            sign(PAYLOAD, PAYLOAD_TYPE, public_of(key), environ)
