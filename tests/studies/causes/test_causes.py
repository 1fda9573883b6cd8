"""Each cause is named by the diagnosis of a run that has it, and none by that of a healthy one."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.studies.causes.cases import CASES, Case
from tests.studies.causes.runs import Found, problems_of, provoke

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

# Shorter than what the scenarios ask, and still enough signals for a P99.
_SHORT = ("--duration", "10")
# Each cause is in one of these; `python -m tests.studies.causes` runs all, and several times.
_CASES = tuple(case for case in CASES if case.name not in {"nonce-lock", "slow-rpc"})
# Side by side, but the one that takes a whole core: the others would feel that.
_ALONE = "engine-cpu"


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Future[Found]]:
    """Runs of all the cases that were asked for."""
    asked = {item.name for item in request.session.items}
    cases = [case for case in _CASES if f"test_the_cause_is_named[{case.name}]" in asked]
    alone = [case for case in cases if case.name == _ALONE]
    with ThreadPoolExecutor(3) as pool:
        futures = {
            case.name: pool.submit(provoke, case, tmp_path_factory.mktemp(case.name), _SHORT)
            for case in cases
            if case not in alone
        }
    with ThreadPoolExecutor(1) as pool:
        futures |= {
            case.name: pool.submit(provoke, case, tmp_path_factory.mktemp(case.name), _SHORT)
            for case in alone
        }
    return futures


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name)
def test_the_cause_is_named(outcomes: Mapping[str, Future[Found]], case: Case) -> None:
    """The headline is the cause; of two, the earlier one of the specified order."""
    found = outcomes[case.name].result()
    assert problems_of(case, found) == [], found.diagnosis
