"""Exit code 0 if the service in this container is healthy (`python -m zone_b.health`)."""

from __future__ import annotations

import http.client
import sys

from zone_b.settings import SettingsError, read_settings

_TIMEOUT_S = 2


def is_healthy(port: int) -> bool:
    """Whether `/healthz` on this host answers 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    try:
        sys.exit(0 if is_healthy(read_settings().http_port) else 1)
    except SettingsError as problem:
        sys.exit(str(problem))
