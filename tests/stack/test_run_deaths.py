"""Killing parts of a run: the right verdict or a clear error, never a PASS, and nothing left."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psutil
import pytest

from harness.cli.judge import judge_folder
from harness.errors import Exit
from tests.stack.running import finish, start

pytestmark = [pytest.mark.stack, pytest.mark.alone]

# What dies, how its process is recognized, and which exit codes are right.
VICTIMS = {
    "swarm": ("harness.load.worker", {Exit.INVALID, Exit.FAIL}),
    "observer": ("harness.observe.worker", {Exit.INVALID, Exit.FAIL}),
    "engine": ("zone_b.engine", {Exit.INVALID, Exit.FAIL}),
    "redis": ("redis-server", {Exit.INVALID, Exit.FAIL}),
    "postgres": ("/bin/postgres", {Exit.INVALID, Exit.FAIL}),
}

SIGNALS = {
    "interrupt": signal.SIGINT,
    "terminate": signal.SIGTERM,
    "kill": signal.SIGKILL,
}
End = tuple[int, str, Path]


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, End]:
    """Runs side by side; in each of them somebody is killed when the signals flow."""
    runs = {name: start(tmp_path_factory.mktemp(name), 20) for name in (*VICTIMS, *SIGNALS)}
    families = {}
    for name, run in runs.items():
        run.await_load()
        families[name] = psutil.Process(run.process.pid).children(recursive=True)
        assert len(families[name]) > 5
        if name in SIGNALS:
            run.process.send_signal(SIGNALS[name])
        else:
            victim = run.find(VICTIMS[name][0])
            assert victim is not None, name
            victim.kill()
    return {name: (*finish(run, families[name]), run.folder()) for name, run in runs.items()}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", VICTIMS)
def test_no_death_ends_in_a_pass(ends: dict[str, End], name: str) -> None:
    """The verdict is INVALID or FAIL, says who died, and is the same when judged again."""
    code, output, folder = ends[name]
    assert code in VICTIMS[name][1], output
    assert name in output, output
    stored = (folder / "result.json").read_text(encoding="utf-8")
    assert json.loads(stored)["verdict"] in {"INVALID", "FAIL"}
    assert judge_folder(folder) == code
    assert (folder / "result.json").read_text(encoding="utf-8") == stored


@pytest.mark.parametrize("name", SIGNALS)
def test_ending_the_harness_leaves_nothing(ends: dict[str, End], name: str) -> None:
    """Ctrl-C, SIGTERM and kill -9 of the harness end every process of the run."""
    code, output, _ = ends[name]
    if SIGNALS[name] == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        # A host too busy for a run makes it INVALID besides.
        assert code in {Exit.INCONCLUSIVE, Exit.INVALID, Exit.FAIL}, output
        assert "interrupted" in output
