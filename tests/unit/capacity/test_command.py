"""What `harness capacity` refuses before it starts anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.cli import capacity_run
from harness.cli.capacity import CAPACITY, capacity
from harness.cli.options import StackKind
from harness.errors import UsageError
from tests.unit.capacity.searches import new_folder


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axis": "agent"}, "did you mean agents"),
        ({"minimum": "500", "maximum": "100"}, "must lie between"),
        ({"within": "soon"}, "is no duration"),
        ({"defect": ["no_such_defect"]}, "no defect"),
        ({"image": ["engine=x"]}, "need containers"),
        ({"stack": StackKind.ATTACH}, "needs a contract file"),
        ({"images": "no-such-set", "stack": StackKind.DOCKER}, "no image set"),
        ({"settings": ["objectives=['rejected < 1 %']"]}, "no objective limits a percentile"),
        ({"settings": ["gate.rounds=10", "load.stages.0.duration_s=900"]}, r"has no \[gate\]"),
        ({"axis": "agents", "maximum": "1000000"}, "agents"),
    ],
)
def test_nothing_is_made(
    options: Mapping[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What, where and a hint, and no folder."""
    monkeypatch.setattr(capacity_run, "run_once", lambda *_: pytest.fail("a trial was begun"))
    with pytest.raises(UsageError, match=message):
        capacity(CAPACITY, reports=tmp_path / "reports", **options)
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    "options", [{"axis": "agents"}, {"maximum": "9"}, {"settings": ["seed=2"]}, {"seed": 3}]
)
def test_a_search_is_gone_on_with_as_it_began(options: Mapping[str, Any], tmp_path: Path) -> None:
    """No option may change what it is about."""
    folder = new_folder(tmp_path)
    with pytest.raises(UsageError, match="begun without it"):
        capacity(folder.path, **options)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    """Is named as none of a search."""
    with pytest.raises(UsageError, match="not the folder of a search"):
        capacity(tmp_path)
