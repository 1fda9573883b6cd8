"""Every named defect is caught, by the right check and with the right signals; clean runs pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.studies.matrix.clean import CLEAN, Load, run_clean
from tests.studies.matrix.rows import ROWS, Row
from tests.studies.matrix.runs import SIDE_BY_SIDE, Outcome, run
from tests.studies.matrix.table import problems_of

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

_PARAMETERS = [
    pytest.param(
        row, id=row.name, marks=pytest.mark.xfail(reason=row.missing) if row.missing else ()
    )
    for row in ROWS
]


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Outcome]]]:
    """Runs of all the rows that were asked for, some side by side.

    A neighbour cannot change their result: where a row is about time, it is to be too slow.
    """
    asked = {item.name for item in request.session.items}
    rows = [row for row in ROWS if f"test_defect_is_caught[{row.name}]" in asked]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {
            row.name: pool.submit(
                run, tmp_path_factory.mktemp(row.name), defects=[row.defect], settings=row.settings
            )
            for row in rows
        }


@pytest.mark.parametrize("row", _PARAMETERS)
def test_defect_is_caught(outcomes: Mapping[str, Future[Outcome]], row: Row) -> None:
    """The verdict, the check that says why, and the signals that it names."""
    outcome = outcomes[row.name].result()
    assert problems_of(row, outcome) == [], outcome.checks
    assert "defects were switched on in the reference services" in outcome.grade_reasons


@pytest.mark.parametrize("load", CLEAN[:2], ids=lambda load: load.name)
def test_clean_run_raises_no_alarm(load: Load, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without a defect nothing is red."""
    found = run_clean(load, 1, tmp_path_factory.mktemp("clean"))
    assert found.good, found.outcome.alarms
    assert not (found.outcome.folder / "defects.jsonl").exists()
