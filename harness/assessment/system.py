"""The system under test as a text that is equal for equal systems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def describe_system(stack: Mapping[str, Any]) -> str:
    """Kind of the stack, and what it was made of; nothing that changes from run to run.

    Args:
        stack: `stack.json`, as it is.
    """
    kind = stack.get("kind")
    if kind == "attach":
        return f"attached, {stack.get('name')}"
    if kind != "docker":
        return str(kind or "unknown")
    images = stack.get("images")
    made_of = sorted(
        f"{service}={facts.get('id')}"
        for service, facts in (images.items() if isinstance(images, dict) else ())
        if isinstance(facts, dict)
    )
    return f"docker, images {', '.join(made_of) or 'unknown'}"
