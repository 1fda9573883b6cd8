"""Names that servers tell, which need not be text."""

from __future__ import annotations


def decode_server_text(value: bytes | str) -> str:
    r"""A name as people read it; bytes that are not UTF-8 are shown as `\xff`."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
