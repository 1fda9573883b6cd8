"""Why a server's certificate is refused: libpq says no more than "certificate verify failed"."""

from __future__ import annotations

import socket
import ssl
import struct
from pathlib import Path

_TIMEOUT_S = 5
# PostgreSQL 16, section 55.7, "SSLRequest": length and code.
_SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)


def refusal_reason(host: str, port: int, root: str) -> str:
    """What OpenSSL has against the certificate of a server, such as `certificate has expired`.

    Args:
        host: name or address; the certificate's name is not compared.
        port: of the server.
        root: file of the CA, as `sslrootcert` names it; empty for libpq's default file.

    Returns:
        The reason; empty if it cannot be found out.
    """
    path = Path(root) if root else Path.home() / ".postgresql" / "root.crt"
    try:
        context = ssl.create_default_context(cafile=str(path) if root != "system" else None)
        context.check_hostname = False
        with socket.create_connection((host, port), timeout=_TIMEOUT_S) as plain:
            plain.sendall(_SSL_REQUEST)
            if plain.recv(1) == b"S":
                context.wrap_socket(plain).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (OSError, ValueError):
        pass
    return ""
