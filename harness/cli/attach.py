"""The checks of a running system before any load."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.cli.console import make_console
from harness.cli.run_command import contract_for
from harness.cli.stack_choice import StackChoice, StackKind
from harness.errors import UsageError, choice_hint
from harness.scenario import Scenario, load_scenario
from harness.scenario.shipped_scenarios import find_scenario
from harness.stack.attach.check import (
    CheckOutcome,
    PreflightCheck,
    exit_code_of,
    failed_check,
    not_applicable,
)
from harness.stack.attach.contract_file import AttachFile, load_attach_file
from harness.stack.attach.preflight import run_preflight
from harness.stack.attach.production import production_markers, required_phrase
from harness.stack.settings import ROOT

FORMS = ("list", "json")
_STYLES = {
    CheckOutcome.OK: "green",
    CheckOutcome.NOT_OK: "bold red",
    CheckOutcome.NOT_APPLICABLE: "dim",
}


def check_contract(path: Path, scenario: Path | None, form: str) -> int:
    """Print every check of a system that already runs; the exit code.

    Raises:
        UsageError: contract or scenario cannot be read, or there is no such form.
    """
    if form not in FORMS:
        hint = choice_hint(form, FORMS)
        raise UsageError(f"there is no form {form!r}", where="--as", hint=hint)
    file = load_attach_file(path)
    asked = load_scenario(find_scenario(scenario)) if scenario else None
    checks = [
        production_check(file),
        scenario_check(asked, path, file),
        *run_preflight(file, os.environ, asked).checks,
    ]
    if form == "json":
        typer.echo(json.dumps([asdict(one) for one in checks], indent=1))
    else:
        show(checks, make_console())
    return int(exit_code_of(checks))


def production_check(file: AttachFile) -> PreflightCheck:
    """Whether a run needs --accept-production."""
    found = production_markers(file)
    if not found:
        return not_applicable("production", "nothing in the contract is marked as production")
    text = f"this is production ({', '.join(found)})"
    return PreflightCheck(
        "production",
        CheckOutcome.OK,
        text,
        f"a run needs --accept-production {required_phrase(file)!r}",
    )


def scenario_check(scenario: Scenario | None, path: Path, file: AttachFile) -> PreflightCheck:
    """Whether the question can be put to such a system."""
    if scenario is None:
        return not_applicable("scenario", "no --scenario is given")
    accepted = required_phrase(file) if production_markers(file) else None
    choice = StackChoice(StackKind.ATTACH, "offline", (), 0, {}, path, accepted)
    try:
        contract_for(scenario, choice, ROOT)
    except UsageError as error:
        where = f"{error.where}: " if error.where else ""
        return failed_check("scenario", f"{where}{error.what}", error.hint)
    return PreflightCheck("scenario", CheckOutcome.OK, f"{scenario.name} can be asked")


def show(checks: Sequence[PreflightCheck], console: Console) -> None:
    """One line a check, and its hint below it."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for check in checks:
        text = Text(check.message)
        if check.hint:
            text.append(f"\nhint: {check.hint}", style="yellow" if check.is_failed else "dim")
        table.add_row(Text(check.outcome.value, _STYLES[check.outcome]), check.id, text)
    console.print(table)
    wrong = sum(check.is_failed for check in checks)
    known = sum(check.outcome is CheckOutcome.OK for check in checks)
    console.print(f"{known} ok, {wrong} not ok, {len(checks) - known - wrong} not applicable")
