"""Style that a linter does not know: module size, layers, and what may be imported where."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    path
    for folder in ("harness", "compose")
    for path in (ROOT / folder).rglob("*.py")
    if not path.name.endswith("_pb2.py") and "node_modules" not in path.parts
)

# From the ground up; a room imports from its own layer and from those below.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "clock", "formatting", "printable"}),
    frozenset({"contract"}),
    frozenset({"scenario", "evidence", "process"}),
    frozenset({"measure", "store", "gate"}),
    frozenset({"judge", "diagnosis", "load", "observe", "telemetry", "stack", "faults", "backup"}),
    frozenset({"docker", "attach"}),
    frozenset({"doctor"}),
    frozenset({"parts"}),
    frozenset({"report", "live"}),
    frozenset({"run", "follow", "experiments"}),
    frozenset({"cli", "__main__", "__init__"}),
)
LINES_MAX = 400


def room_of(module: str) -> str:
    """The room of a dotted module name below `harness`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def layer_of(room: str) -> int:
    """The layer a room lies in; a room that is in none is a mistake of this table."""
    for height, rooms in enumerate(LAYERS):
        if room in rooms:
            return height
    raise AssertionError(f"room {room!r} is in no layer: add it to LAYERS")


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, at any depth."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_is_small(path: Path) -> None:
    """No module is longer than one can hold in mind."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.is_relative_to(ROOT / "harness")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_imports_go_down(path: Path) -> None:
    """A room imports only rooms of its own layer or below."""
    relative = path.relative_to(ROOT).with_suffix("")
    own = layer_of(room_of(".".join(relative.parts)))
    for name in imports_of(path):
        if name.startswith("harness."):
            assert layer_of(room_of(name)) <= own, f"{relative} imports {name}"


def test_harness_and_zone_b_are_strangers() -> None:
    """The harness starts the reference services and talks over the wire; it never imports them."""
    for path in MODULES:
        inside = "harness" if path.is_relative_to(ROOT / "harness") else "zone_b"
        other = {"harness": "zone_b", "zone_b": "harness"}[inside]
        assert not {name for name in imports_of(path) if name.split(".")[0] == other}, path


def test_locust_stays_in_the_swarm() -> None:
    """Importing Locust patches the process, so only the swarm's own process may do it."""
    allowed = ROOT / "harness" / "load"
    for path in MODULES:
        if not path.is_relative_to(allowed):
            found = {n for n in imports_of(path) if n.split(".")[0] in {"locust", "gevent"}}
            assert not found, path
