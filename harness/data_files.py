"""Where the files are that the harness needs besides its code.

`DATA` holds `compose/` (Compose files, images, the reference services), `scenarios/`, `examples/`,
`docs/schema/`, and the two pages that a sign-off has copies of. A checkout has them in its
top-level folders, an installed package in `harness/_data`, where the build puts them
(`pyproject.toml`). They are only read: the folder of an installed package may not be writable.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "_data"

IS_CHECKOUT = not _INSTALLED.is_dir()
DATA = _PACKAGE.parent if IS_CHECKOUT else _INSTALLED
SCENARIOS = DATA / "scenarios"
EXAMPLES = DATA / "examples"
