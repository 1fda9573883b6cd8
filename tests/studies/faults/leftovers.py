"""What a run has on this host, counted by the kernel and the engine: before, during and after."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from harness.process.proc import RUN_VARIABLE, is_running, start_ticks
from harness.stack.docker.labels import OWNER, Owner
from harness.stack.private_dir import LOCK, PREFIX

_GROUPS = Path("/sys/fs/cgroup")
_PRIVATE = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - looked at only
_SHARED_MEMORY = "/dev/shm/"  # noqa: S108 - the same
_NAMESPACES = (Path("/run/netns"), Path("/run/docker/netns"))
# A link of these kinds, a queue or a rule in a namespace is there only because somebody put it.
_QUEUES = ("netem", "tbf", "htb", "hfsc", "ingress", "clsact", "police")
_FREEZERS = frozenset({"freezer.self_freezing", "cgroup.freeze"})
_DUMPS = ("pg_dump", "pg_basebackup", "pg_restore")
_HOG = "signal-harness"
_RELAY = "/docker/faults/relay.py"
Things = Mapping[str, frozenset[str]]


@dataclass
class Run:
    """A run that is looked at from outside: what has been seen of it so far.

    Attributes:
        pid: of the harness.
        processes: its processes and those of its containers, by pid, with their start.
        containers: full ids of its containers.
        folders: its private ones, and its files of shared memory.
    """

    pid: int
    processes: dict[int, int] = field(default_factory=dict)
    containers: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)

    def meet(self) -> None:
        """Learn what processes and folders it has now; quick."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.pid).children(recursive=True):
                self.processes.setdefault(child.pid, start_ticks(child.pid))
        for lock in (path for place in _PRIVATE for path in place.glob(f"{PREFIX}*/{LOCK}")):
            with suppress(OSError, ValueError):
                if int(lock.read_text(encoding="ascii")) == self.pid:
                    self.folders.add(str(lock.parent))
        for pid in self.processes:
            with suppress(OSError):
                maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").split()
                self.folders |= {word for word in maps if word.startswith(_SHARED_MEMORY)}


def take_inventory(run: Run | None, api: Any | None) -> Things:
    """Everything that a run may have brought, by kind.

    What may belong to other people (rules of the host's packet filter, loop devices) is
    listed whole: compare one listing with another.

    Args:
        run: whose processes and containers to tell; None for those of nobody.
        api: the container engine; None to leave it alone.
    """
    found: dict[str, frozenset[str]] = {
        "network namespaces": _names(),
        "links": frozenset(_lines("ip", "-o", "link", "show")),
        "rules": frozenset(_rules(_lines("iptables-save"))),
        "queues": frozenset(_queues(_lines("tc", "qdisc", "show"))),
        "loop devices": frozenset(_lines("losetup", "--noheadings", "--list", "-O", "BACK-FILE")),
        "mounts": frozenset(_mounts()),
        "frozen groups": frozenset(_frozen()),
    }
    if run is not None:
        # The containers first: their processes are known by them.
        found |= _in_engine(api, run) if api is not None else {}
        found |= _processes(run)
        found |= _inside(run)
        found["folders"] = frozenset(name for name in run.folders if Path(name).exists())
    return found


def more(now: Things, before: Things) -> Things:
    """What is there that was not there before, by kind; kinds with nothing left out."""
    grown = {name: things - before.get(name, frozenset()) for name, things in now.items()}
    return {name: things for name, things in grown.items() if things}


def format_things(things: Things) -> str:
    """How many of each kind; `nothing` where there are none."""
    return ", ".join(f"{len(found)} {name}" for name, found in sorted(things.items())) or "nothing"


def _processes(run: Run) -> dict[str, frozenset[str]]:
    """The run's processes that still run; of them hogs and dumps, and sessions of PostgreSQL."""
    run.meet()
    marks = {_mark_of(pid) for pid in run.processes} - {""}
    for pid in psutil.pids():
        if _mark_of(pid) in marks or any(one in _group(pid) for one in run.containers):
            run.processes.setdefault(pid, start_ticks(pid))
    alive = [pid for pid, ticks in run.processes.items() if is_running(pid, ticks)]
    reported = {pid: _command(pid) for pid in alive}
    return {
        "processes": frozenset(f"{pid} {said[:60]}" for pid, said in reported.items()),
        "hogs": frozenset(f"{pid}" for pid, said in reported.items() if _HOG in said),
        "relays": frozenset(f"{pid}" for pid, said in reported.items() if _RELAY in said),
        "dumps": frozenset(f"{pid}" for pid, said in reported.items() if _begins(said, _DUMPS)),
        "stopped": frozenset(f"{pid}" for pid in alive if _is_stopped(pid)),
        "pg sessions": frozenset(
            f"{pid} {said}" for pid, said in reported.items() if _is_session(said)
        ),
    }


def _in_engine(api: Any, run: Run) -> dict[str, frozenset[str]]:
    filters = {"label": OWNER}
    containers = [one for one in api.containers(all=True, filters=filters) if _is_of(one, run.pid)]
    run.containers |= {one["Id"] for one in containers}
    networks = [one for one in api.networks(filters=filters) if _is_of(one, run.pid)]
    volumes = api.volumes(filters=filters)["Volumes"] or ()
    return {
        "containers": frozenset(one["Names"][0] for one in containers),
        "networks": frozenset(one["Name"] for one in networks),
        "volumes": frozenset(one["Name"] for one in volumes if _is_of(one, run.pid)),
    }


def _is_of(thing: Mapping[str, Any], pid: int) -> bool:
    owner = Owner.parse(thing["Labels"].get(OWNER, ""))
    return owner is not None and owner.pid == pid


def _inside(run: Run) -> dict[str, frozenset[str]]:
    """Rules, queues and tunnels in the network namespaces of the run's containers."""
    spaces: dict[str, int] = {}
    with suppress(OSError):
        spaces[os.readlink("/proc/self/ns/net")] = 0  # noqa: PTH115 - the text is its identity
    for pid in run.processes:
        with suppress(OSError):
            spaces.setdefault(os.readlink(f"/proc/{pid}/ns/net"), pid)  # noqa: PTH115 - the same
    found: dict[str, set[str]] = {"rules inside": set(), "queues inside": set(), "tunnels": set()}
    for space, pid in spaces.items():
        if not pid:
            continue
        enter = ("nsenter", "--target", str(pid), "--net", "--")
        # The engine's own rules for names are of no interest, nor is a container's one link.
        rules = (line for line in _rules(_lines(*enter, "iptables-save")) if "DOCKER" not in line)
        found["rules inside"] |= {
            f"{space} {line}" for line in rules if _HOG in line or "DROP" in line
        }
        queues = _queues(_lines(*enter, "tc", "qdisc", "show"))
        found["queues inside"] |= {f"{space} {line}" for line in queues}
        tunnels = _lines(*enter, "ip", "-o", "link", "show", "type", "tun")
        found["tunnels"] |= {f"{space} {line}" for line in tunnels}
    return {name: frozenset(things) for name, things in found.items()}


def _rules(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if line.startswith("-A")]


def _queues(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if line.split()[1:2] and line.split()[1] in _QUEUES]


def _mounts() -> list[str]:
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    return [" ".join(line.split()[:3]) for line in lines]


def _frozen() -> list[str]:
    found = []
    for folder, _, names in os.walk(_GROUPS):  # groups come and go meanwhile, which this bears
        for name in _FREEZERS.intersection(names):
            with suppress(OSError):
                if Path(folder, name).read_text(encoding="ascii").strip() == "1":
                    found.append(folder)
    return found


def _names() -> frozenset[str]:
    """Namespaces that are held by a name; the engine removes empty names later, once a minute."""
    found = set()
    for place in (place for place in _NAMESPACES if place.is_dir()):
        for path in place.iterdir():
            with suppress(OSError):
                if path.stat().st_dev != place.stat().st_dev:
                    found.add(str(path))
    return frozenset(found)


def _lines(*argv: str) -> list[str]:
    """What a command of this host says; nothing where it is not installed or refuses."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False
        )
    except OSError:
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def _mark_of(pid: int) -> str:
    with suppress(OSError):
        for word in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if word.startswith(f"{RUN_VARIABLE}=".encode()):
                return word.decode(errors="replace")
    return ""


def _group(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8")
    return ""


def _command(pid: int) -> str:
    with suppress(OSError):
        text = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        return text.decode(errors="replace").strip()
    return ""


def _is_stopped(pid: int) -> bool:
    with suppress(psutil.Error):
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    return False


def _begins(said: str, programs: tuple[str, ...]) -> bool:
    return said.split(" ", 1)[0].rpartition("/")[2] in programs


def _is_session(said: str) -> bool:
    """A server process of PostgreSQL that serves a connection has its peer in its title."""
    return said.startswith("postgres: ") and "(" in said
