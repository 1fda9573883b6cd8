"""Words that say that a system is the one which earns money."""

from __future__ import annotations

import re

_MARK = re.compile(r"(?:^|[^a-z])(?:prod|production|prd|live)(?:[^a-z]|$)", re.IGNORECASE)


def is_production_name(name: str) -> bool:
    """Whether a prefix, a host or any other name is marked as production."""
    return _MARK.search(name) is not None
