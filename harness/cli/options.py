"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.durations import parse_duration_s
from harness.errors import UsageError


class StackKind(StrEnum):
    """How the system under test is started."""

    PROCESS = "process"
    DOCKER = "docker"
    ATTACH = "attach"


def _complete_defects(incomplete: str) -> list[str]:
    from harness.cli.completion import complete_defects  # which imports from here

    return complete_defects(incomplete)


Seed = Annotated[int | None, typer.Option(help="Seed of schedule, content and chance.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any key, e.g. load.warmup_s=2."),
]
Defects = Annotated[
    list[str] | None,
    typer.Option(
        "--defect",
        metavar="NAME[:KEY=VALUE,...]",
        autocompletion=_complete_defects,
        help="Switch on a defect of the reference services; see `harness defects`.",
    ),
]
Reports = Annotated[Path, typer.Option(help="Where the folder of the run goes.")]


def history_path(path: Path | None) -> Path | None:
    """The path of a history, before anything runs: `history.json` would begin a folder.

    Raises:
        UsageError: it names neither a file of runs nor a folder.
    """
    if path is not None and path.suffix not in ("", ".jsonl") and not path.exists():
        raise UsageError(
            f"a history is FILE.jsonl or a folder, not *{path.suffix}",
            where=str(path),
            hint=f"{path.with_suffix('.jsonl')}",
        )
    return path


HistoryPath = Annotated[
    Path | None,
    typer.Option(
        "--history",
        metavar="FILE",
        callback=history_path,
        help="Add each run to a history: FILE.jsonl, or a folder with a file a month.",
    ),
]


def _duration_s(text: object) -> float:
    """A duration of an option, or its default, in seconds.

    Raises:
        BadParameter: it is none.
    """
    try:
        return parse_duration_s(str(text), "")
    except UsageError as error:
        raise typer.BadParameter(f"{error.what}; {error.hint}") from error


def duration_option(about: str) -> Any:
    """An option that takes `90s`, `5m` or seconds."""
    return typer.Option(metavar="DURATION", parser=_duration_s, help=about)


AgentContainers = Annotated[
    int,
    typer.Option(
        min=0, max=100, help="Agent containers in addition to the swarm (--stack docker)."
    ),
]
ImageSet = Annotated[str, typer.Option("--images", help="Image set: upstream or offline.")]
Images = Annotated[
    list[str] | None,
    typer.Option("--image", metavar="ROLE=IMAGE", help="Another image for one role."),
]
AnyStack = Annotated[
    StackKind,
    typer.Option(help="Child processes, containers with exact quotas, or what runs already."),
]
ContractFile = Annotated[
    Path | None, typer.Option(help="Contract file of the system (--stack attach).")
]
AcceptProduction = Annotated[
    str | None,
    typer.Option(metavar="SENTENCE", help="The sentence that a contract of production asks for."),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print every check and figure of the result.")
]
REPORTS = Path("reports")
