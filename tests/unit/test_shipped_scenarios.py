"""A scenario is named by a path, or as `harness scenarios` lists it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data_files import DATA, IS_CHECKOUT, SCENARIOS
from harness.errors import UsageError
from harness.scenario.shipped_scenarios import find_scenario, scenario_names

NAMES = scenario_names()


def test_a_checkout_uses_its_own_folders() -> None:
    """Also the schemas, which a wheel carries."""
    assert IS_CHECKOUT
    assert (DATA / "compose" / "zone_b").is_dir()
    assert (DATA / "docs" / "schema" / "result-2.json").is_file()


@pytest.mark.parametrize("form", ["{}", "{}.toml", "scenarios/{}.toml"])
def test_every_listed_name_is_found(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an empty folder, in each form of the documentation."""
    monkeypatch.chdir(tmp_path)
    assert {"smoke", "faults/kill"} <= {*NAMES}
    for name in NAMES:
        assert find_scenario(Path(form.format(name))) == SCENARIOS / f"{name}.toml"


def test_a_path_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of one's own, and not a folder, which no command reads a scenario from."""
    monkeypatch.chdir(tmp_path)
    Path("smoke").mkdir()
    assert find_scenario(Path("smoke")) == SCENARIOS / "smoke.toml"
    Path("burst").write_text("", encoding="utf-8")
    assert find_scenario(Path("burst")) == Path("burst")
    Path("own").mkdir()
    assert find_scenario(Path("own")) == Path("own")


def test_an_unknown_name_has_the_nearest_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong usage."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        find_scenario(Path("smoek"))
    assert caught.value.where == "smoek"
    assert "smoke" in caught.value.hint


@given(st.text())
def test_a_name_never_leads_out_of_the_shipped_files(text: str) -> None:
    """Whatever is given, and however long it is."""
    given_path = Path(text)
    try:
        found = find_scenario(given_path)
    except UsageError:
        return
    assert found == given_path or found.is_relative_to(SCENARIOS)
    assert found == given_path or found.is_file()


def test_a_name_that_no_file_can_have() -> None:
    """It is for the reader to refuse."""
    assert find_scenario(Path("x" * 5000)) == Path("x" * 5000)
