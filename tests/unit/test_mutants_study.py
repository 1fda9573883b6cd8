"""The study of mutants names modules, tests and source lines that there are."""

from __future__ import annotations

import tomllib

import pytest

from tests.studies.mutants.__main__ import ROOT, TESTS

EQUIVALENT = tomllib.loads(
    (ROOT / "tests" / "studies" / "mutants" / "equivalent.toml").read_text(encoding="utf-8")
)["equivalent"]


@pytest.mark.parametrize("module", TESTS)
def test_modules_and_their_tests_exist(module: str) -> None:
    """A module that was moved would end the study."""
    assert (ROOT / "harness" / f"{module}.py").is_file()
    for name in TESTS[module]:
        assert (ROOT / "tests" / "unit" / name).is_file()


@pytest.mark.parametrize("entry", EQUIVALENT, ids=lambda entry: f"{entry['module']}")
def test_equivalent_mutants_are_of_lines_that_exist(entry: dict[str, str]) -> None:
    """One of a line that was changed would count as a survivor."""
    text = (ROOT / "harness" / f"{entry['module']}.py").read_text(encoding="utf-8")
    assert entry["line"] in map(str.strip, text.splitlines())
