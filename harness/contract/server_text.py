"""Names from servers, which need not be valid UTF-8."""

from __future__ import annotations


def decode_server_text(value: bytes | str) -> str:
    r"""A name as text; bytes that are not UTF-8 are escaped as `\xff`."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
