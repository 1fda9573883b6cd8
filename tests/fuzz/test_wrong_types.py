"""A document of the evidence whose values have wrong types is refused, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from harness.assessment.assess import assess_with_analysis
from harness.errors import EvidenceError
from harness.evidence.run_folder import RunFolder
from tests.unit.analysis.evidence import healthy, load_of

_WRONG: tuple[object, ...] = (True, "text", [[]], {"": [None]}, None)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A small run."""
    return healthy(load_of(agents=2, rate=10.0, duration_s=2.0)).write(
        tmp_path_factory.mktemp("stored")
    )


def _places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every table entry of a document, and the first item of every list."""
    yield path
    items: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(value, dict):
        items = iter(value.items())
    elif isinstance(value, list):
        items = iter(list(enumerate(value))[:1])
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _with(document: Any, path: tuple[Any, ...], value: object) -> Any:
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = _with(document[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("name", ["final.json", "metrics.json", "observer.json", "stack.json"])
def test_each_wrong_type_is_refused_or_judged(stored: RunFolder, name: str) -> None:
    """No place of a document crashes the judge with any type of value."""
    path: Path = stored.path / name
    before = path.read_text()
    document = json.loads(before)
    try:
        for place in _places(document):
            for wrong in _WRONG:
                path.write_text(json.dumps(_with(document, place, wrong)))
                with suppress(EvidenceError):
                    assess_with_analysis(stored)
    finally:
        path.write_text(before)
