"""The name of a file or folder, as stored evidence may give one."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import AfterValidator

# Most file systems allow so many bytes (NAME_MAX, limits.h).
_BYTES_MAX = 255


def _is_name(text: str) -> str:
    if text in ("", ".", "..") or "/" in text or "\0" in text:
        raise ValueError("is no name of a file")
    if len(os.fsencode(text)) > _BYTES_MAX:
        raise ValueError(f"is longer than {_BYTES_MAX} bytes")
    return text


# One name inside one folder: no path, so that nothing outside the folder is looked at.
FileName = Annotated[str, AfterValidator(_is_name)]
