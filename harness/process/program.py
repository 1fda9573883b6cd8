"""Programs that a run starts: with an environment of their own, a log file, and no loose ends."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import StackError
from harness.process.faketime import sweep_shared
from harness.process.launch import KEEP, command
from harness.process.proc import RUN_VARIABLE
from harness.process.reaper_client import ReaperClient

_INHERITED = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Program:
    """What to execute, and how.

    Attributes:
        name: what people call it.
        argv: command line; never holds a secret, since every user can read it.
        folder: where it works, and its HOME and TMPDIR.
        log: file that takes stdout and stderr.
        env: variables beyond the clean minimum; may hold secrets.
        uid: user to run as; KEEP for the harness's own.
        gid: group to run as.
        stop_signal: what asks it to end.
        death_signal: what the kernel sends it when the harness is gone. A polite one would not do:
            Redis refuses to end while it cannot save.
    """

    name: str
    argv: tuple[str, ...]
    folder: Path
    log: Path
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    uid: int = KEEP
    gid: int = KEEP
    stop_signal: int = signal.SIGTERM
    death_signal: int = signal.SIGKILL


def clean_environment(program: Program, token: str) -> dict[str, str]:
    """The environment of a program: what it needs, not what the caller's shell happens to hold.

    A locale that is not installed breaks initdb, and variables such as PGOPTIONS or LC_ALL would
    change what is measured.
    """
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    home = str(program.folder)
    fixed = {"HOME": home, "TMPDIR": home, "LC_ALL": "C.UTF-8", "TZ": "UTC", RUN_VARIABLE: token}
    return {**kept, **fixed, **dict(program.env)}


def spawn(program: Program, reaper: ReaperClient) -> subprocess.Popen[bytes]:
    """Start a program under reaper, in a session of its own.

    The kernel ends it together with the thread that called this, so that thread must live as long
    as the program should.

    Raises:
        StackError: it cannot be started.
    """
    argv = command(
        program.argv,
        parent=os.getpid(),
        death_signal=program.death_signal,
        uid=program.uid,
        gid=program.gid,
    )
    try:
        with program.log.open("ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=clean_environment(program, reaper.token),
                cwd=program.folder,
                umask=0o077,
                start_new_session=True,
            )
    except OSError as error:
        raise StackError(f"cannot be started: {error}", where=program.name) from error
    reaper.watch(process.pid, program.stop_signal)
    return process


def cleanup_after_exit(pid: int, reaper: ReaperClient) -> None:
    """Do what is due after a program's end: what it left of its process group ends with it.

    A container does the same when its first process ends; without it the workers of a killed
    service would run on at the same time as the restarted one's.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    sweep_shared(pid)
    reaper.forget(pid)


def terminate(process: subprocess.Popen[bytes], stop_signal: int, timeout_s: float) -> int:
    """Ask a process to end, and end it after `timeout_s`; its exit code."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def run_to_end(program: Program, reaper: ReaperClient, timeout_s: float) -> int:
    """Run a program to its end.

    Returns:
        its exit code.

    Raises:
        StackError: it cannot be started, or has not ended after `timeout_s`.
    """
    process = spawn(program, reaper)
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired as error:
        raise StackError(
            f"has not ended after {timeout_s:.0f} s", where=program.name, hint=f"see {program.log}"
        ) from error
    finally:
        terminate(process, program.stop_signal, 1.0)
        cleanup_after_exit(process.pid, reaper)
