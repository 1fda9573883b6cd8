"""An embedded PostgreSQL 16: real binaries from a wheel, a data folder of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from harness.errors import StackError
from harness.process.launch import KEEP
from harness.process.program import Program, run_to_end
from harness.process.reaper_client import ReaperClient
from harness.stack.log_tail import log_tail
from harness.stack.ports import LOOPBACK
from harness.stack.postgres_roles import (
    ADMIN,
    DATABASE,
    OWNER,
    Passwords,
    make_roles,
    open_to_observer,
    same_setting,
    settings_in_force,
)
from harness.stack.private_dir import own_dir, write_private
from harness.stack.process.postgres_install import ask_version, copy_within_reach, find_installation
from harness.stack.process.postgres_settings import (
    Setting,
    format_config,
    host_memory_bytes,
    server_settings,
)
from harness.stack.server_user import User, change_owner, named_user, server_user

_FIRST_DATABASE = "postgres"
_INITDB_MAX_S = 60.0
_READY_CONNECT_MAX_S = 1
_CONNECT_MAX_S = 5
# Nothing but a password over loopback opens the server.
_HBA = """\
host all         all {address}/32 scram-sha-256
host replication all {address}/32 scram-sha-256
"""


class PostgresServer:
    """PostgreSQL in a private folder, on a port of loopback, with passwords.

    Args:
        folder: empty or missing folder; stays the caller's, but for `data` in it.
        log: file for the server's messages.
        reaper: watches over what is started.
        observer: name of the read-only role.
        changed: a scenario's own settings by name.
    """

    def __init__(
        self,
        folder: Path,
        log: Path,
        reaper: ReaperClient,
        observer: str,
        changed: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.passwords = Passwords.random()
        self.port = 0
        self.settings: tuple[Setting, ...] = ()
        self.version = ""
        self._folder = folder
        self._log = log
        self._reaper = reaper
        self._observer = observer
        self._changed = changed
        self._user: User = server_user()
        self._installation = Path()
        self._in_force: dict[str, str] = {}

    def prepare(self) -> None:
        """Make the data folder.

        Raises:
            UsageError: PostgreSQL is not installed.
            StackError: initdb failed, or there is no user that may run it.
        """
        own_dir(self._folder, self._user)
        maker = named_user(self._user)
        self._installation = copy_within_reach(find_installation(), self._user, self._folder)
        self.version = ask_version(self._installation, self._user)
        # The only place below this folder that the server's user may change.
        self._data.mkdir(mode=0o700)
        if maker.uid != KEEP:
            os.chown(self._data, maker.uid, maker.gid)
        password_file = self._folder / "pw"
        write_private(password_file, self.passwords.admin, self._user)
        try:
            self._initdb(maker, password_file)
        finally:
            password_file.unlink(missing_ok=True)
        change_owner(self._data, maker, self._user)
        write_private(self._hba, _HBA.format(address=LOOPBACK), self._user)

    def program(self, port: int) -> Program:
        """The server, configured for a port."""
        self.port = port
        self.settings = server_settings(port, host_memory_bytes(), self._changed)
        # What stands last wins over what initdb has written. Neither file lies in the data folder,
        # where the server's user could put a link to some other file in its place.
        own = format_config((*self.settings, Setting("hba_file", None, str(self._hba))))
        config = self._folder / "postgresql.conf"
        write_private(config, f"include '{self._data / config.name}'\n{own}", self._user)
        options = ("-D", str(self._data), "-c", f"config_file={config}")
        # SIGQUIT is the end without a checkpoint: the data folder is thrown away.
        return self._program("postgres", self._user, *options, stop_signal=signal.SIGQUIT)

    @property
    def admin_dsn(self) -> str:
        """Conninfo of the superuser."""
        return self._dsn(ADMIN, self.passwords.admin)

    @property
    def owner_dsn(self) -> str:
        """Conninfo of the role that owns the schema."""
        return self._dsn(OWNER, self.passwords.owner)

    @property
    def observer_dsn(self) -> str:
        """Conninfo of the read-only role."""
        return self._dsn(self._observer, self.passwords.observer)

    def is_ready(self) -> bool:
        """Whether the server answers the superuser."""
        try:
            with psycopg.connect(self._first_dsn, connect_timeout=_READY_CONNECT_MAX_S) as session:
                session.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def set_up(self) -> None:
        """Make roles and database, and read back the settings that are in force.

        Raises:
            StackError: the server refuses, or a scenario's own setting is not in force.
        """
        make_roles(self._first_dsn, self._observer, self.passwords)
        names = (item.name for item in self.settings)
        self._in_force = settings_in_force(self.admin_dsn, names)
        for name, value in self._changed.items():
            if not same_setting(value, self._in_force[name]):
                raise StackError(
                    f"{name} is {self._in_force[name]}, and {value} was asked for",
                    where="postgres",
                    hint="write the value as SHOW prints it; see [postgres] of the scenario",
                )

    def open_to_observer(self, table: str, publication: str) -> None:
        """Let the observer read every table and follow one; after the schema has been made.

        Raises:
            StackError: the server refuses.
        """
        open_to_observer(self.admin_dsn, self._observer, table, publication)

    def describe(self) -> dict[str, Any]:
        """What runs, without secrets."""
        return {
            "version": self.version,
            "binary": str(self._installation / "bin" / "postgres"),
            "port": self.port,
            "uid": self._user.effective_uid,
            "settings": {
                item.name: {
                    "specified": item.specified,
                    "applied": self._in_force.get(item.name, item.applied),
                }
                for item in self.settings
            },
        }

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _hba(self) -> Path:
        return self._folder / "pg_hba.conf"

    @property
    def _first_dsn(self) -> str:
        return self._dsn(ADMIN, self.passwords.admin, database=_FIRST_DATABASE)

    def _dsn(self, role: str, password: str, database: str = DATABASE) -> str:
        # Names everything, so that no PG* variable of the user's shell changes it.
        return make_conninfo(
            "",
            host=LOOPBACK,
            port=self.port,
            dbname=database,
            options="",
            user=role,
            password=password,
            sslmode="disable",
            gssencmode="disable",
            connect_timeout=_CONNECT_MAX_S,
        )

    def _initdb(self, maker: User, password_file: Path) -> None:
        program = self._program(
            "initdb",
            maker,
            f"--pgdata={self._data}",
            f"--username={ADMIN}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--locale=C.UTF-8",
            "--encoding=UTF8",
            # The folder lives as long as the run: it need not survive a power cut before it.
            "--no-sync",
            "--no-instructions",
        )
        code = run_to_end(program, self._reaper, _INITDB_MAX_S)
        if code != 0:
            raise StackError(
                f"initdb ended with {code}; its last output:\n"
                + log_tail(self._log, self.passwords.all()),
                where="postgres",
                hint=f"see {self._log}",
            )

    def _program(
        self, name: str, user: User, *arguments: str, stop_signal: int = signal.SIGTERM
    ) -> Program:
        return Program(
            name="postgres",
            argv=(str(self._installation / "bin" / name), *arguments),
            folder=self._folder,
            log=self._log,
            uid=user.uid,
            gid=user.gid,
            stop_signal=stop_signal,
            # SIGKILL would leave its shared memory.
            death_signal=signal.SIGQUIT,
        )
