"""`harness init`: a project of one's own, with a contract proposed from the running system."""

from __future__ import annotations

import os
import re
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.console import make_console
from harness.errors import UsageError, choice_hint

if TYPE_CHECKING:
    from rich.console import Console

    from harness.stack.attach.proposal import Proposal

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_NO_NAME_CHARACTERS = re.compile(r"[^a-z0-9]+")
_NAME_MAX = 64


class CiSystem(StrEnum):
    """The CI system that a job is written for."""

    GITHUB = "github"
    GITLAB = "gitlab"
    NONE = "none"


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the project; made if it is missing.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the system; that of the folder if absent.")
    ] = None,
    from_database: Annotated[
        str | None,
        typer.Option(metavar="DSN", help="PostgreSQL of the system, whose tables are read."),
    ] = None,
    redis: Annotated[
        str | None, typer.Option(metavar="URL", help="Redis of the system; its streams are read.")
    ] = None,
    ci: Annotated[CiSystem | None, typer.Option(help="CI system of the job.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing; what is not given has its default.")
    ] = False,
) -> None:
    """Write a load test of your own system: scenario, contract, CI job, pytest example, README.

    On a terminal it asks for what is not given. No file is overwritten; logins come from the
    environment. Exit code: 0 written, 2 wrong usage, 5 a server cannot be reached.
    """
    asks = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    name = _checked_name(_answer(name, "name of the system", _name_of(folder), asks=asks))
    postgres = _answer(
        from_database, "PostgreSQL, as postgresql://host:port/database (empty: later)", "",
        asks=asks,
    )  # fmt: skip
    redis = _answer(redis, "Redis, as redis://host:port/0 (empty: later)", "", asks=asks)
    if ci is None:
        ci = _ci_of(_answer(None, "CI job (github, gitlab, none)", CiSystem.GITHUB, asks=asks))
    _write(folder, name, postgres, redis, ci)


def _write(folder: Path, name: str, postgres: str, redis: str, ci: CiSystem) -> None:
    # These are slow to import, and only needed here.
    from harness.cli.project import (
        POSTGRES_URL,
        REDIS_URL,
        project_files,
        servers_of,
        write_project,
    )
    from harness.stack.attach.discovery import find_streams, find_tables
    from harness.stack.attach.proposal import propose

    servers = servers_of(name, redis or REDIS_URL, postgres or POSTGRES_URL, os.environ)
    tables = find_tables(servers.postgres, os.environ) if postgres else None
    streams = find_streams(servers.redis, os.environ) if redis else None
    proposal = propose(tables, streams)
    files = project_files(name, servers, proposal, ci)
    write_project(folder, files)
    console = make_console()
    console.print(f"made {folder}:")
    for place in files:
        console.print(f"  {place}")
    read = [
        f"{len(found)} {what}"
        for found, what in ((tables, "tables"), (streams, "streams"))
        if found is not None
    ]
    console.print(f"read: {' and '.join(read) or 'nothing, so the contract has reference names'}")
    _show_next(folder, proposal, console)


def _show_next(folder: Path, proposal: Proposal, console: Console) -> None:
    from harness.cli.closing import program
    from harness.stack.attach.contract_text import CHECK

    console.print(f"to confirm: {proposal.guesses} lines of contract.toml, marked {CHECK}")
    command = program()
    files = (folder / name for name in ("scenario.toml", "contract.toml"))
    scenario, contract = (shlex.quote(str(path)) for path in files)
    console.print(f"next: {command} run {scenario}", soft_wrap=True, no_wrap=True)
    console.print(f"      {command} attach --check {contract}", soft_wrap=True, no_wrap=True)


def _answer(given: str | None, question: str, default: str, *, asks: bool) -> str:
    if given is not None or not asks:
        return default if given is None else given
    try:
        return str(typer.prompt(question, default=default, show_default=bool(default))).strip()
    except typer.Abort:
        raise UsageError(
            "a question was not answered, and nothing was written",
            where=question,
            hint="give options, as `harness init --help` lists them, or --yes",
        ) from None


def _name_of(folder: Path) -> str:
    """The folder's name in the form of a scenario's name."""
    text = _NO_NAME_CHARACTERS.sub("-", folder.absolute().name.lower()).strip("-")
    return text[:_NAME_MAX] or "my-system"


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name of a system",
            where="--name",
            hint="a to z, 0 to 9 and dashes, 64 characters at most, as in my-system",
        )
    return name


def _ci_of(text: str) -> CiSystem:
    try:
        return CiSystem(text.lower())
    except ValueError:
        raise UsageError(
            f"there is no CI system {text!r}", where="--ci", hint=choice_hint(text, CiSystem)
        ) from None
