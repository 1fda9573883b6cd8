"""`harness stack` and `harness images`: containers that live longer than one run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from harness.cli.console import make_console, startup_sink
from harness.cli.options import Images, ImageSet, StackKind
from harness.clock import NS_PER_S, SystemClock
from harness.contract.names import Contract
from harness.errors import Exit
from harness.stack.settings import ROOT, StackSettings

if TYPE_CHECKING:
    from harness.stack.docker.settings import DockerSettings

stack_app = typer.Typer(help="Zone B in containers, apart from a run.", no_args_is_help=True)
images_app = typer.Typer(help="The images of the containers.", no_args_is_help=True)


@images_app.command()
def build(
    name: Annotated[
        str, typer.Argument(metavar="[SET]", help="upstream, offline, harness or harness-offline.")
    ] = "upstream",
    force: Annotated[bool, typer.Option(help="Build also what is up to date.")] = False,
) -> None:
    """Build what an image set needs beyond the images of registries.

    upstream: the reference services on python:3.11-slim; needs the engine only.
    offline: every image from Debian, PyPI and npm; needs root, the docker command and debootstrap.
    harness: the harness itself on python:3.11-slim; harness-offline on the base of the offline set.
    """
    from harness.stack.docker.commands import build_images  # the Docker client is slow to import

    console = make_console()
    begin_ns = (clock := SystemClock()).now_ns()
    built = build_images(ROOT, name, startup_sink(console), force=force)
    took_s = (clock.now_ns() - begin_ns) / NS_PER_S
    new = sum(one.is_new for one in built)
    console.print(f"{new} built, {len(built) - new} up to date, {took_s:.1f} s")


@images_app.command("list")
def list_images() -> None:
    """Every image of every set, and whether the engine holds it."""
    from harness.stack.docker.commands import image_table  # the Docker client is slow to import

    table = Table("set", "image", "MB", box=None, pad_edge=False)
    for row in image_table(ROOT):
        size = "not here" if row.size_bytes is None else f"{row.size_bytes / 1e6:.0f}"
        table.add_row(row.set_name, row.image, size)
    make_console().print(table)


@stack_app.command()
def up(
    agents: Annotated[int, typer.Option(help="Agent containers.")] = 0,
    images: ImageSet = "upstream",
    image: Images = None,
) -> None:
    """Start Zone B and leave it running until `harness stack down`."""
    from harness.stack.docker.commands import stack_up  # the Docker client is slow to import

    console, clock = make_console(), SystemClock()
    begin_ns = clock.now_ns()
    settings = _settings(images, image, agents)
    with tempfile.TemporaryDirectory(prefix="harness-logs-") as logs:
        endpoints = stack_up(settings, Path(logs), clock, startup_sink(console))
    console.print(f"up after {(clock.now_ns() - begin_ns) / NS_PER_S:.1f} s")
    for name, url in sorted(endpoints.metrics_urls.items()):
        console.print(f"  {name}: {url}")


@stack_app.command()
def verify(
    images: ImageSet = "upstream",
    image: Images = None,
    compose_project: Annotated[
        str, typer.Option(help="A stack that `docker compose up` started; else the only one.")
    ] = "",
) -> None:
    """Hold every container against the specification: live control groups, policies, settings.

    Reads the stack that `harness stack up` started, else the one that `docker compose up` started,
    else one that it starts for the purpose.
    """
    from harness.stack.docker.commands import stack_verify  # the Docker client is slow to import
    from harness.stack.docker.compose_project import verify_project

    console, clock = make_console(), SystemClock()
    rows = verify_project(ROOT / "compose", compose_project, clock)
    if rows is None:
        settings = _settings(images, image, 0)
        with tempfile.TemporaryDirectory(prefix="harness-logs-") as logs:
            rows = stack_verify(settings, Path(logs), clock, startup_sink(console))
    table = Table("", "container", "setting", "specified", "live", box=None, pad_edge=False)
    for row in rows:
        mark = "ok" if row.ok else "NOT"
        table.add_row(mark, row.container, row.setting, row.specified, row.live)
    console.print(table)
    wrong = [row for row in rows if not row.ok]
    console.print(f"{len(rows) - len(wrong)} of {len(rows)} as specified")
    raise typer.Exit(int(Exit.INVALID if wrong else Exit.PASS))


@stack_app.command()
def scale(agents: Annotated[int, typer.Argument(help="How many agent containers.")]) -> None:
    """Scale the running stack to so many agents; nothing of Zone B changes."""
    from harness.stack.docker.commands import stack_scale  # the Docker client is slow to import

    clock = SystemClock()
    begin_ns = clock.now_ns()
    stack_scale(ROOT, agents, clock)
    took_s = (clock.now_ns() - begin_ns) / NS_PER_S
    make_console().print(f"{agents} agents after {took_s:.1f} s")


@stack_app.command()
def down() -> None:
    """End every running stack and remove its volumes."""
    from harness.stack.docker.commands import stack_down  # the Docker client is slow to import

    tokens = stack_down()
    make_console().print(f"ended {len(tokens)} running stack{'' if len(tokens) == 1 else 's'}")


def _settings(image_set: str, images: list[str] | None, agents: int) -> DockerSettings:
    from harness.cli.stack_choice import StackChoice  # the Docker client is slow to import

    choice = StackChoice(StackKind.DOCKER, image_set, images or [], agents, {})
    return choice.docker_settings(StackSettings(contract=Contract(), root=ROOT), ROOT)
