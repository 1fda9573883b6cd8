"""What the package needs is declared, and what is installed has a hash."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Packages whose module has another name.
PACKAGE_OF = {
    "resvg_py": "resvg-py",
    "google": "protobuf",
    "hdrh": "hdrhistogram",
    "hiredis": "redis",
    "pydantic_core": "pydantic",
    "yaml": "pyyaml",
}
FOR_DEVELOPERS = {"grpc_tools"}  # `make proto`
# Modules that are imported only where an extra was installed, and its name.
OF_EXTRAS = {"pyarrow": "parquet", "pytest": "pytest"}
LOCKS = ("requirements.lock", "requirements-dev.lock")


def name_of(requirement: str) -> str:
    """The name of a package, in the form of the index."""
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


def declared() -> set[str]:
    """What pyproject.toml asks for to run the package."""
    return {name_of(one) for one in project()["dependencies"]}


def optional() -> set[str]:
    """What the package imports only where an extra is installed."""
    extras = project()["optional-dependencies"]
    return {name_of(one) for extra in ("signoff", "png") for one in extras[extra]}


def project() -> dict[str, Any]:
    """The table `[project]`."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: dict[str, Any] = document["project"]
    return found


def imported() -> set[str]:
    """Top-level modules that the package imports, other than the standard library's and its own."""
    found: set[str] = set()
    for path in (ROOT / "harness").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"harness"} - FOR_DEVELOPERS - OF_EXTRAS.keys()


def pins(name: str) -> dict[str, str]:
    """The text of each entry of a lock file, by package and version."""
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8"))
    return {one.split()[0]: one for one in entries if one.strip()}


def test_direct_dependencies_are_declared() -> None:
    """None comes only because another package happens to need it, and none is left over."""
    packages = {name_of(PACKAGE_OF.get(module, module)) for module in imported()}
    assert packages == declared() | optional()


@pytest.mark.parametrize(("module", "extra"), OF_EXTRAS.items())
def test_modules_of_extras_are_declared(module: str, extra: str) -> None:
    """Each in its own extra."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert module in map(name_of, document["project"]["optional-dependencies"][extra])


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes(name: str) -> None:
    """Without one, an installation with required hashes fails."""
    without = [pin for pin, text in pins(name).items() if "--hash=sha256:" not in text]
    assert not without
    assert {pin.partition("==")[0] for pin in pins(name)} >= declared()


def test_tests_run_with_what_is_installed_to_run() -> None:
    """The developers' lock adds packages, and changes no version."""
    run, dev = (pins(name) for name in LOCKS)
    assert run.keys() <= dev.keys()
