"""Digests that bind a stored result to its own content and to the evidence.

A result is computed from the evidence after the run, so the run's seal does not cover it. It has
the digests of its own content and of the evidence instead; a change of either is detected. Like the
seal this does not stop a forger who computes both again: `harness judge` does not use it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

KEY = "bound"


class ResultDigests(BaseModel):
    """Digests (SHA-256, hex).

    Attributes:
        content: of the document without this table, as canonical JSON.
        evidence: of the names and digests of the evidence's files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: str
    evidence: str


def with_digests(document: Mapping[str, Any], evidence: Mapping[str, str]) -> dict[str, Any]:
    """The document with its digests, as it is stored.

    Args:
        document: digests in it are replaced.
        evidence: SHA-256 of each file of the evidence, by name.
    """
    unbound = {key: value for key, value in document.items() if key != KEY}
    return {
        **unbound,
        KEY: ResultDigests(content=_digest(unbound), evidence=_digest(evidence)).model_dump(),
    }


def digest_mismatch(document: Mapping[str, Any], evidence: Mapping[str, str]) -> str:
    """Why a stored document cannot be trusted; empty if it can."""
    found, expected = document.get(KEY), with_digests(document, evidence)[KEY]
    if not isinstance(found, dict):
        return "has no digests of the evidence it was judged from"
    if found.get("content") != expected["content"]:
        return "was changed after it was written"
    if found.get("evidence") != expected["evidence"]:
        return "was judged from evidence that differs from that in the folder now"
    return ""


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
