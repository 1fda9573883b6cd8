"""`harness attach --check` against real servers: what is right, and what is wrong in which way."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.attach.checks import Check, Outcome, exit_code_of
from harness.attach.examine import POSTGRES_CHECKS, REDIS_CHECKS, examine
from harness.attach.file import load_attach_file
from tests.stack.attach_variants import (
    LOGINS,
    PUBLICATIONS,
    STREAMS,
    TABLES,
    WORDS,
    Variant,
    applied,
    changes_of,
    login,
)
from tests.stack.conftest import Postgres, Redis
from tests.stack.foreign_desk import EXAMPLE, PASSWORD, ROOT, Desk

pytestmark = pytest.mark.stack

ALL = (*PUBLICATIONS, *TABLES, *WORDS, *LOGINS, *STREAMS)


@pytest.fixture(scope="module")
def desk(postgres: Postgres, redis_server: Redis) -> Desk:
    """The desk's servers and users."""
    made = Desk(postgres, redis_server, "desk")
    made.prepare()
    return made


def checks_of(desk: Desk, variant: Variant, folder: Path) -> tuple[Check, ...]:
    """Every check of the desk as the variant has it."""
    file = load_attach_file(desk.contract(folder, changes_of(desk, variant)))
    with applied(desk, variant):
        return examine(file, login(desk, variant), None).checks


@pytest.mark.parametrize("variant", ALL, ids=[variant.name for variant in ALL])
def test_what_is_wrong_is_found(variant: Variant, desk: Desk, tmp_path: Path) -> None:
    """By the check that is meant for it, with what to do; no other one is a false alarm."""
    checks = checks_of(desk, variant, tmp_path)
    wrong = {check.id: check for check in checks if check.is_bad}
    assert {*wrong} == {variant.id, *variant.also}, wrong
    found = wrong[variant.id]
    assert re.search(variant.said, f"{found.message} {found.hint}"), found
    assert exit_code_of(checks) == variant.code
    assert PASSWORD not in repr(checks)
