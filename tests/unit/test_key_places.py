"""What an unknown key was probably meant to be."""

from __future__ import annotations

import pytest

from harness.scenario import Scenario
from harness.scenario.key_places import key_hint
from harness.scenario.policy import Policy
from harness.stack.attach.contract_file import AttachFile


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        (("load", "stages", 0, "agnets"), "did you mean agents?"),
        (("duration_s",), "it belongs in [[load.stages]]"),
        (("load", "seed"), "it belongs at the top level"),
        (("lod",), "did you mean load?"),
        (("fault", 0, "kill", "targte"), "did you mean target?"),
        (("load", "duratoin_s"), "did you mean duration_s, in [[load.stages]]?"),
        (("xyzzy",), ""),
    ],
)
def test_keys_of_a_scenario(place: tuple[int | str, ...], hint: str) -> None:
    """The nearest key of the same table, else the table that has the key."""
    found = key_hint(Scenario, place)
    assert found.startswith(hint) if hint else not found


def test_keys_of_other_documents() -> None:
    """A key of another table is named with its table."""
    assert key_hint(AttachFile, ("streams", "name")) == "it belongs at the top level"
    assert key_hint(Policy, ("criterion", 0, "run", "secnario")) == "did you mean scenario?"
