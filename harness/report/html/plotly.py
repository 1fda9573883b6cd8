"""Plotly's own script, packed so that it can travel inside a page."""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from dataclasses import dataclass
from functools import cache

from plotly.offline import get_plotlyjs


@dataclass(frozen=True, slots=True)
class PackedScript:
    """A script.

    Attributes:
        text: gzip, in base64.
        source: what a content security policy calls it: the hash of the unpacked script.
        version: as the script names itself.
    """

    text: str
    source: str
    version: str


def script_source(script: str) -> str:
    """A script's name in a content security policy (CSP Level 3, section 6.7.3.3)."""
    return f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def plotly_packed() -> PackedScript:
    """The script of the installed package; the same bytes every time."""
    script = get_plotlyjs()
    return PackedScript(
        text=b64encode(gzip.compress(script.encode(), mtime=0)).decode(),
        source=script_source(script),
        version=script[:200].partition("plotly.js v")[2].split()[0],
    )
