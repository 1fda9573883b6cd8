"""One run for all tests of the page."""

from __future__ import annotations

import pytest

from harness.report.data import ReportData
from tests.unit.html.report_page import plain_data, rich_data


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    """A run as an earlier version kept it."""
    return plain_data(tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="session")
def rich(plain: ReportData) -> ReportData:
    """A run with everything in it."""
    return rich_data(plain)
