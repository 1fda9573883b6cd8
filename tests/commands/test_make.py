"""Targets of the Makefile, with programs that only end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_make_run_says_the_exit_code_of_the_harness(tmp_path: Path) -> None:
    """Make ends with 2 for every code but 0, which elsewhere stands for wrong usage."""
    program = tmp_path / ".venv" / "bin" / "harness"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    for name in ("pyproject.toml", "requirements.lock", ".venv/.installed-run"):
        (tmp_path / name).touch()
    done = subprocess.run(
        ["make", "run"],  # noqa: S607 - the one on the path, as in CI
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "exit code of harness: 3, INCONCLUSIVE" in done.stdout


LANES = ("-n auto tests/unit", "pytest tests/commands", "-m not pair", "-m pair", "-m alone")


@pytest.mark.parametrize("failing", ["mypy", "ruff check", "format", "lint-imports", *LANES])
def test_make_test_fails_with_any_part_of_it_and_names_the_part(
    failing: str, tmp_path: Path
) -> None:
    """The first parts run side by side, and the lots that follow do so after a failure, too."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("pytest", "ruff", "mypy", "lint-imports"):
        line = f"{name} $*"
        (programs / name).write_text(
            f'#!/bin/sh\necho "ran: {line}"\ncase "{line}" in *"{failing}"*) exit 1;; esac\n',
            encoding="utf-8",
        )
        (programs / name).chmod(0o755)
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    for name in ("pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        (tmp_path / name).touch()
    for name in (".installed-run", ".installed-test"):
        (tmp_path / ".venv" / name).touch()
    done = subprocess.run(
        ["make", "test"],  # noqa: S607 - the one on the path, as in CI
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout
    assert "*** [Makefile:" in done.stderr
    ran = [line for line in done.stdout.splitlines() if line.startswith("ran: ")]
    servers = failing in LANES[1:]
    assert [sum(lane in line for line in ran) for lane in LANES] == [1, *[int(servers)] * 4]
