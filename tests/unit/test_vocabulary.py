"""Names in the code are terms of the field; retired private words do not come back."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("harness", "compose", "tests/unit", "tests/stack", "tests/docker", "tests/studies")
# SIM905: a text is easier to read than a list of 40 strings.
RETIRED = frozenset(
    """
    told stranger strangers unnamed fate fates standstill standstills misdeed misdeeds echoes chore
    chores crew armory story stories standing tally tallies hole holes desk desks camera hurry
    glance glances offender offenders vitals agenda tripwire warden composer taken
    """.split()  # noqa: SIM905
)
# Fields of stored results and evidence keep their names, so that old ones are still read.
STORED = frozenset({"standstills", "strangers", "taken_at", "taken_out", "unnamed", "vitals"})
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def test_no_name_is_a_retired_word() -> None:
    """Neither a module, nor a name in one."""
    found = []
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        if "node_modules" in path.parts or path == Path(__file__):
            continue
        names = {path.stem}
        with io.StringIO(path.read_text(encoding="utf-8")) as text:
            tokens = tokenize.generate_tokens(text.readline)
            names |= {token.string for token in tokens if token.type == tokenize.NAME}
        retired = {
            name
            for name in names
            if name not in STORED
            and not RETIRED.isdisjoint(part.lower() for part in _PARTS.findall(name))
        }
        found += [f"{path.relative_to(ROOT)}: {name}" for name in sorted(retired)]
    assert found == []
