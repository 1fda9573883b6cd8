"""What binds a stored result to itself and to the evidence that it was judged from.

A result is made from the evidence, so that no seal of the run covers it. It names the digest of its
own content and of the evidence instead; whoever changes either finds it disbelieved. Like the seal
it keeps out no forger who computes both anew: `harness judge` does not look at it.
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
    """A document as it is stored.

    Args:
        document: without its binding.
        evidence: SHA-256 of each file of the evidence, by name.
    """
    own = {key: value for key, value in document.items() if key != KEY}
    return {
        **own,
        KEY: ResultDigests(content=_digest(own), evidence=_digest(evidence)).model_dump(),
    }


def digest_mismatch(document: Mapping[str, Any], evidence: Mapping[str, str]) -> str:
    """Why a stored document cannot be believed; empty where it can."""
    found, due = document.get(KEY), with_digests(document, evidence)[KEY]
    if not isinstance(found, dict):
        return "does not say which evidence it was judged from"
    if found.get("content") != due["content"]:
        return "was changed after it was written"
    if found.get("evidence") != due["evidence"]:
        return "was judged from other evidence than lies here now"
    return ""


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
