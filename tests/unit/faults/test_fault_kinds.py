"""The registry of fault kinds: what a module of a kind must declare, and its row in the docs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from typing import ClassVar, Literal

import pytest

from harness.evidence.run_documents import CHAIN_HEADS_FILE
from harness.faults.instance import FaultInstance, injection
from harness.faults.kinds.backup import Backup
from harness.faults.kinds.chain_staleness import FeedStall
from harness.faults.kinds.process_exit import Kill
from harness.faults.support import PROCESS_FAULT_SUPPORT
from harness.judge.judgement import CHECKS
from harness.scenario.fault_base import FaultBase, TargetRule
from harness.scenario.fault_registry import fault, fault_kinds, find_injection, load_checks
from harness.scenario.fault_targets import ServiceTarget
from harness.stack.settings import ROOT

STACKS = ("process", "docker")
ROW = re.compile(r"^\| `(\w+)` \| ([a-z, ]+) \| (yes|no) \| (.*) \|$", re.M)


def documented() -> dict[str, tuple[str, ...]]:
    """The rows of the table of kinds: stacks, whether it lasts, and the rest."""
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    return {kind: tuple(cells) for kind, *cells in ROW.findall(page)}


def test_every_kind_has_its_row_and_no_other_has() -> None:
    """In alphabetical order, as the registry has them."""
    assert list(documented()) == list(fault_kinds())


@pytest.mark.parametrize("kind", list(fault_kinds()))
def test_a_row_agrees_with_its_kind(kind: str) -> None:
    """Stacks, whether the kind lasts, and each key of its own."""
    stacks, lasts, text = documented()[kind]
    model = fault_kinds()[kind]
    assert stacks.split(", ") == [name for name in STACKS if find_injection(kind, name)]
    assert lasts == ("yes" if model.lasts() else "no")
    own = model.model_fields.keys() - FaultBase.model_fields.keys()
    for key in own - {"kind", "for_s", "direction"}:
        assert f"`{key}`" in text, key


def test_a_kind_says_what_it_is_and_what_it_aims_at() -> None:
    """A module with a mistake does not load."""

    class Nowhere(FaultBase):
        kind: Literal["nowhere"]

    class Elsewhere(Nowhere):
        targets: ClassVar[TargetRule] = ServiceTarget()

    with pytest.raises(TypeError, match="targets"):
        fault("nowhere")(Nowhere)
    with pytest.raises(TypeError, match="not of the kind"):
        fault("elsewhere")(Elsewhere)
    with pytest.raises(TypeError, match="twice"):
        fault("kill")(Kill)
    with pytest.raises(TypeError, match="not registered"):
        injection(Elsewhere, "process")(_make)
    with pytest.raises(TypeError, match="two injections"):
        injection(Kill, "process")(_make)


def _make(fault: FaultBase, on: object) -> FaultInstance:
    raise AssertionError("is never called")


def test_files_of_kinds_have_the_names_that_others_read() -> None:
    """The scenario room cannot import them."""
    assert FeedStall.evidence == {CHAIN_HEADS_FILE}
    assert Backup.evidence == {"backup.jsonl"}


@pytest.mark.parametrize(
    "first", ["harness.scenario", "harness.faults.kinds.pause", "harness.faults.health_checks"]
)
def test_a_scenario_is_read_without_a_client_of_a_server(first: str) -> None:
    """Whichever module is imported first; a swarm reads scenarios too."""
    program = (
        f"import sys, pathlib, {first}\n"
        "from harness.scenario import load_scenario\n"
        "load_scenario(pathlib.Path('scenarios/faults/kill.toml'))\n"
        "print(sorted({'docker', 'psycopg', 'redis', 'google', 'numpy'} & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_support_follows_from_the_registry() -> None:
    """A stack can have what some module makes ready on it."""
    assert "clock_step" in PROCESS_FAULT_SUPPORT.kinds
    assert "partition" not in PROCESS_FAULT_SUPPORT.kinds


CORE = [
    path
    for path in sorted((ROOT / "harness").rglob("*.py"))
    if not path.is_relative_to(ROOT / "harness" / "faults" / "kinds")
]


def test_the_core_compares_no_kind_by_its_name() -> None:
    """It asks the registry; else a new kind would have to be added in several places."""
    names = fault_kinds().keys()
    for path in CORE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                sides = [part for side in (node.left, *node.comparators) for part in ast.walk(side)]
                asks = any(isinstance(one, ast.Attribute) and one.attr == "kind" for one in sides)
                named = {one.value for one in sides if isinstance(one, ast.Constant)} & names
                assert not (asks and named), f"{path}:{node.lineno} names {named}"


def test_a_kind_has_checks_of_its_own() -> None:
    """Its module declares them, and the judge makes them with all others."""
    declared = {spec for _, specs in load_checks("SIGNAL_CHECKS") for spec in specs}
    declared |= {spec for _, specs in load_checks("CHECKS") for spec in specs}
    assert {"stale_refused_in_time", "backups_restored"} <= {spec.id for spec in declared}
    assert declared <= {spec for rule in CHECKS for spec in rule.specs}
