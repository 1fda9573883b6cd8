"""A signature: any bytes in a DSSE envelope, with a key from a file or of an ssh-agent.

`securesystemslib` signs and verifies; it is an extra, since only a sign-off needs it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from harness.errors import EvidenceError, UsageError
from harness.evidence import atomic_files
from harness.evidence.ssh_agent import sign_by_agent
from harness.safe_open import read_regular

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope

# The variable with the password of a private key.
PASSWORD = "HARNESS_SIGNOFF_PASSWORD"  # noqa: S105 - the name of a variable
INSTALL = "in the repository: pip install -e '.[signoff]'"
_KEY_BYTES_MAX = 64 * 1024
_OPENSSH = b"OPENSSH PRIVATE KEY"


def sign(payload: bytes, payload_type: str, key: Path, environ: Mapping[str, str]) -> str:
    """Sign bytes.

    Args:
        payload: what is signed.
        payload_type: media type.
        key: file with an Ed25519, ECDSA P-256 or RSA key, PEM (PKCS 8) or OpenSSH. Of a public key
            the ssh-agent has the private one.
        environ: `PASSWORD` has the key's password; `SSH_AUTH_SOCK` names the agent.

    Returns:
        the envelope as JSON.

    Raises:
        UsageError: the extra is not installed, the key cannot be used, or the agent has it not.
    """
    dsse, signer_of = _library()
    try:
        signer: Any = (
            _AgentSigner(_crypto_key(key), signer_of, environ)
            if _is_public(key)
            else signer_of.CryptoSigner(_private_key(key, environ))
        )
        envelope: Envelope = dsse.Envelope(payload, payload_type, {})
        envelope.sign(signer)
    except (ValueError, TypeError) as error:
        raise _bad_key(key) from error
    return json.dumps(envelope.to_dict(), indent=1, sort_keys=True) + "\n"


class _AgentSigner:
    """What an envelope asks of a signer, answered by the ssh-agent."""

    def __init__(self, key: Any, signer_of: ModuleType, environ: Mapping[str, str]) -> None:
        self.public_key = signer_of.SSlibKey.from_crypto(key)
        self._key, self._signer_of, self._environ = key, signer_of, environ

    def sign(self, payload: bytes) -> Any:
        """Sign the bytes that the envelope has made of its payload."""
        found = sign_by_agent(self._key, payload, self._environ)
        return self._signer_of.Signature(self.public_key.keyid, found.hex())


def verify(path: Path, payload: bytes, payload_type: str, key: Path) -> str:
    """Why a stored envelope is no signature of bytes by a key; empty if it is.

    Args:
        path: of the envelope, of whatever origin.
        payload: what has to be signed.
        payload_type: media type.
        key: file with the public key, PEM or OpenSSH.

    Raises:
        UsageError: the extra is not installed, or the key cannot be used.
        EvidenceError: the envelope is missing, or none.
    """
    dsse, signer_of = _library()
    public = _public_key(key, signer_of)
    document = atomic_files.read_document(path)
    try:
        envelope: Envelope = dsse.Envelope.from_dict(document)
    except Exception as error:  # whatever form it has
        what = f"is no DSSE envelope: {type(error).__name__}"
        raise EvidenceError(what, where=str(path)) from error
    try:
        envelope.verify([public], 1)
    except Exception as error:  # whatever is wrong with it, it is no signature
        return f"is not signed by {key.name}: {type(error).__name__}"
    if envelope.payload_type != payload_type or envelope.payload != payload:
        return "is a signature of something else"
    return ""


def _library() -> tuple[ModuleType, ModuleType]:
    """The modules of envelopes and of keys."""
    try:
        import cryptography  # noqa: F401 - without it no key is read
        from securesystemslib import dsse, signer
    except ImportError as error:
        raise UsageError(
            "signatures need the extra `signoff`, which is not installed",
            where="harness signoff",
            hint=INSTALL,
        ) from error
    return dsse, signer


def _private_key(path: Path, environ: Mapping[str, str]) -> Any:
    from cryptography.hazmat.primitives import serialization

    data = _read(path)
    password = environ.get(PASSWORD, "").encode() or None
    load = (
        serialization.load_ssh_private_key
        if _OPENSSH in data
        else serialization.load_pem_private_key
    )
    try:
        return load(data, password)
    except TypeError as error:
        state = "is not encrypted, and there is one" if password else "is encrypted"
        raise UsageError(
            f"the key {state}", where=str(path), hint=f"the password is that of ${PASSWORD}"
        ) from error
    except Exception as error:  # a wrong password, another format, or an unknown algorithm
        raise _bad_key(path) from error


def _is_public(path: Path) -> bool:
    data = _read(path)
    return _is_ssh_public(data) or b"BEGIN PUBLIC KEY" in data


def _is_ssh_public(data: bytes) -> bool:
    return data.lstrip().startswith((b"ssh-", b"ecdsa-sha2-"))


def _crypto_key(path: Path) -> Any:
    from cryptography.hazmat.primitives import serialization

    data = _read(path)
    load = (
        serialization.load_ssh_public_key
        if _is_ssh_public(data)
        else serialization.load_pem_public_key
    )
    try:
        return load(data)
    except Exception as error:  # another format, or an unknown algorithm
        raise _bad_key(path) from error


def _public_key(path: Path, signer_of: ModuleType) -> Any:
    try:
        return signer_of.SSlibKey.from_crypto(_crypto_key(path))
    except (ValueError, TypeError) as error:
        raise _bad_key(path) from error


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, _KEY_BYTES_MAX, by_user=True)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except EvidenceError as error:
        raise UsageError(error.what, where=str(path)) from error


def _bad_key(path: Path) -> UsageError:
    # What the library says may repeat a part of the key.
    return UsageError(
        "is no key that can be used here, or the password is wrong",
        where=str(path),
        hint="Ed25519, ECDSA P-256 and RSA keys are read, in PEM (PKCS 8) or OpenSSH form;"
        f" ${PASSWORD} has the password of a private one",
    )
