"""Parts of host and database names that indicate a production system."""

from __future__ import annotations

import re

_MARK = re.compile(r"(?:^|[^a-z])(?:prod|production|prd|live)(?:[^a-z]|$)", re.IGNORECASE)


def is_production_name(name: str) -> bool:
    """Whether a prefix, a host or any other name is marked as production."""
    return _MARK.search(name) is not None
