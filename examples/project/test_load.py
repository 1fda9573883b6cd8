"""my-system under load as a test.

`pytest` measures the reference services, and `pytest --signal-contract contract.toml` my-system.
FAIL is a failure, INVALID an error; docs/pytest.md of signal-harness has every option.
"""

import pytest


@pytest.mark.signal("scenario.toml")
def test_objectives_are_met() -> None:
    """The run of the scenario has met every objective."""
