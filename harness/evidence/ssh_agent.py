"""Signatures by a key that an ssh-agent holds; the private key never leaves the agent.

Protocol: OpenSSH PROTOCOL.agent, now draft-ietf-sshm-ssh-agent, sections 3.5 and 3.6. The signature
of an Ed25519 key is that of RFC 8709; that of an ECDSA key has the two numbers of RFC 5656, section
3.1.2, which other verifiers want in DER.
"""

from __future__ import annotations

import base64
import socket
import struct
from collections.abc import Mapping
from typing import Any, Final

from harness.errors import UsageError

SOCKET = "SSH_AUTH_SOCK"
# An agent may ask a person to confirm.
TIMEOUT_S = 60.0
_LIST, _KEYS, _SIGN, _SIGNED = 11, 12, 13, 14
_ANSWER_BYTES_MAX: Final = 256 * 1024
_ED25519, _ECDSA = b"ssh-ed25519", b"ecdsa-sha2-nistp256"


def sign_by_agent(public: Any, data: bytes, environ: Mapping[str, str]) -> bytes:
    """Sign bytes.

    Args:
        public: Ed25519 or ECDSA P-256 key of `cryptography`.
        data: what is signed; ECDSA signs its SHA-256.
        environ: `SSH_AUTH_SOCK` names the agent.

    Returns:
        the signature: 64 bytes of Ed25519, DER of ECDSA.

    Raises:
        UsageError: there is no agent, it has no such key, or it does not sign with it.
    """
    blob = _blob(public)
    answer = _ask(bytes([_SIGN]) + _string(blob) + _string(data) + struct.pack(">I", 0), environ)
    if answer[:1] != bytes([_SIGNED]):
        held = _held(environ)
        raise UsageError(
            "the ssh-agent refused to sign" if blob in held else "the ssh-agent has no such key",
            where=SOCKET,
            hint="ssh-add adds a key; ssh-add -l lists those of the agent",
        )
    try:
        form, rest = _take(_take(answer[1:])[0])
        signature, _ = _take(rest)
        if form == _ED25519:
            return signature
        if form == _ECDSA:
            return _der(signature)
    except (struct.error, ValueError) as error:
        raise _no_agent("its answer cannot be read") from error
    raise _no_agent("its signature is of another kind than the key")


def _blob(public: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    text = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    kind, data = text.split()[:2]
    if kind not in (_ED25519, _ECDSA):
        raise UsageError(
            f"{kind.decode(errors='replace')} keys of an ssh-agent are not used",
            where=SOCKET,
            hint="use an Ed25519 or ECDSA P-256 key, or the file of the private key",
        )
    return base64.b64decode(data)


def _der(numbers: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    first, rest = _take(numbers)
    second, _ = _take(rest)
    return encode_dss_signature(int.from_bytes(first, "big"), int.from_bytes(second, "big"))


def _held(environ: Mapping[str, str]) -> list[bytes]:
    """The keys of the agent; none where it does not list them."""
    answer = _ask(bytes([_LIST]), environ)
    found: list[bytes] = []
    try:
        if answer[:1] == bytes([_KEYS]):
            rest = answer[5:]
            for _ in range(min(struct.unpack(">I", answer[1:5])[0], 1_000)):
                blob, rest = _take(rest)
                _, rest = _take(rest)
                found.append(blob)
    except (struct.error, ValueError):
        return found
    return found


def _ask(message: bytes, environ: Mapping[str, str]) -> bytes:
    path = environ.get(SOCKET)
    if not path:
        raise _no_agent("the variable is not set")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
            agent.settimeout(TIMEOUT_S)
            agent.connect(path)
            agent.sendall(_string(message))
            length = struct.unpack(">I", _read(agent, 4))[0]
            if length > _ANSWER_BYTES_MAX:
                raise _no_agent("its answer is too long")
            return _read(agent, length)
    except OSError as error:
        raise _no_agent(error.strerror or str(error)) from error


def _read(agent: socket.socket, length: int) -> bytes:
    found = b""
    while len(found) < length:
        more = agent.recv(length - len(found))
        if not more:
            raise _no_agent("it ended the connection")
        found += more
    return found


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _take(data: bytes) -> tuple[bytes, bytes]:
    """A string of the protocol, and what follows it."""
    length = struct.unpack(">I", data[:4])[0]
    if len(data) < 4 + length:
        raise ValueError("cut off")
    return data[4 : 4 + length], data[4 + length :]


def _no_agent(why: str) -> UsageError:
    return UsageError(
        f"no ssh-agent can be used: {why}",
        where=SOCKET,
        hint='start one by `eval "$(ssh-agent)"` and add the key by ssh-add, or give the file of'
        " the private key",
    )
