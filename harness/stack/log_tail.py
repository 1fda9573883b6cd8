"""The last lines of a service's log, without its secrets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

_TAIL_BYTES = 16_384
HIDDEN = "********"


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace every secret, plain or as it stands in a URL."""
    forms = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text


def log_tail(path: Path, secrets: Iterable[str], lines_max: int = 12) -> str:
    """The last lines of a log file, redacted; empty when there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            data = file.read(_TAIL_BYTES)
    except OSError:
        return ""
    lines = data.decode("utf-8", "replace").splitlines()
    return redact("\n".join(lines[-lines_max:]), secrets)
