"""The command that checks a running system before any load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def attach(
    check: Annotated[
        Path, typer.Option("--check", metavar="CONTRACT", help="Contract file of the system.")
    ],
    scenario: Annotated[
        Path | None, typer.Option(help="What will be asked; see `harness scenarios`.")
    ] = None,
    form: Annotated[str, typer.Option("--as", help="list or json.")] = "list",
) -> None:
    """Check a running system against its contract; no signal is sent and nothing is created.

    Exit code: 0 if a run can begin, 2 if contract, rights or scenario are wrong, 5 if a server
    cannot be reached or used now.
    """
    from harness.cli.contract_check import check_contract  # slow to import, and only needed here

    raise typer.Exit(check_contract(check, scenario, form))
