"""The foreign desk on real servers, with users of few rights, for tests of attaching to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg import sql
from psycopg.conninfo import make_conninfo

from harness.attach.cache import RIGHTS
from harness.store import RunFolder
from harness.store.toml import toml_text
from tests.stack.conftest import Postgres, Redis

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "foreign"
READER, SENDER, PASSWORD = "desk_reader", "desk_sender", "a/b@c 'd"
RUN_MAX_S = 90
_OPEN_MAX_S = 20
_CATALOGS = (
    "SELECT 'class', oid::text, relname::text FROM pg_class UNION ALL"
    " SELECT 'proc', oid::text, proname::text FROM pg_proc UNION ALL"
    " SELECT 'trigger', oid::text, tgname::text FROM pg_trigger UNION ALL"
    " SELECT 'role', oid::text, rolname::text FROM pg_roles UNION ALL"
    " SELECT 'publication', oid::text, pubname::text FROM pg_publication UNION ALL"
    " SELECT 'slot', slot_name::text, '' FROM pg_replication_slots UNION ALL"
    " SELECT 'schema', oid::text, nspname::text FROM pg_namespace"
    " WHERE nspname !~ '^pg_(toast_)?temp'"
)


@dataclass(frozen=True, slots=True)
class Attached:
    """What a run of the harness came to."""

    code: int
    output: str
    folder: RunFolder | None

    @property
    def result(self) -> dict[str, Any]:
        """`result.json`."""
        assert self.folder is not None, self.output
        return self.folder.read_json(self.folder.result)

    def check(self, name: str) -> dict[str, Any]:
        """A check of the judgement."""
        checks: list[dict[str, Any]] = self.result["judgement"]["checks"]
        return next(check for check in checks if check["name"] == name)


@dataclass(frozen=True, slots=True)
class Desk:
    """Servers with the desk's tables, and two users: one may send and read, one may read."""

    postgres: Postgres
    redis: Redis
    database: str

    @property
    def owner(self) -> str:
        """Conninfo of the desk itself."""
        return make_conninfo(self.postgres.owner_dsn, dbname=self.database)

    def prepare(self) -> None:
        """Tables and users."""
        with psycopg.connect(self.postgres.admin_dsn, autocommit=True) as admin:
            name = sql.Identifier(self.database)
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER defi").format(name))
            admin.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(READER), sql.Literal(PASSWORD)
                )
            )
        subprocess.run(
            [sys.executable, EXAMPLE / "desk.py", "migrate"], env=self._env(), check=True
        )
        with psycopg.connect(self.owner) as owner:
            owner.execute(f"GRANT USAGE ON SCHEMA desk TO {READER}".encode())
            owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA desk TO {READER}".encode())
        with redis.Redis.from_url(self.redis.url) as client:
            # As the desk left them the evening before.
            client.delete("desk.orders")  # of another desk on the same Redis
            client.xgroup_create("desk.orders", "desk-crew", id="0", mkstream=True)
            for stream, fields in (("desk.heights", {"h": 1}), ("desk.results", {"ref": "x"})):
                client.xadd(stream, fields)
            rights = ["on", f">{PASSWORD}", "~*", *RIGHTS.split()]
            client.execute_command("ACL", "SETUSER", SENDER, *rights)

    @contextmanager
    def open(self, fault: str = "") -> Iterator[None]:
        """The desk at work."""
        process = subprocess.Popen(
            [sys.executable, EXAMPLE / "desk.py"],
            env=self._env(fault),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "desk is open\n"
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_OPEN_MAX_S)
            assert process.stdout is not None
            process.stdout.close()

    def contract(self, folder: Path, changes: Mapping[str, Any] | None = None) -> Path:
        """The example's contract with the addresses of these servers, and changes to it."""
        document = tomllib.loads((EXAMPLE / "desk.toml").read_text(encoding="utf-8"))
        document["redis"]["url"] = f"redis://127.0.0.1:{self.redis.port}/0"
        document["postgres"]["url"] = f"postgresql://127.0.0.1:{self.postgres.port}/{self.database}"
        for key, value in (changes or {}).items():
            table, _, last = key.rpartition(".")
            (document[table] if table else document)[last] = value
        path = folder / "contract.toml"
        path.write_text(toml_text(document), encoding="utf-8")
        return path

    def attach(
        self, folder: Path, *options: str, changes: Mapping[str, Any] | None = None
    ) -> Attached:
        """Run the example's scenario through the command line."""
        reports = folder / "reports"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "harness", "run", str(EXAMPLE / "desk-smoke.toml")),
                *("--stack", "attach", "--contract", str(self.contract(folder, changes))),
                *("--reports", str(reports), *options),
            ],
            env=self.login(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=RUN_MAX_S,
            check=False,
        )
        output = done.stdout + done.stderr
        assert PASSWORD not in output
        folders = sorted(reports.glob("*/plan.json"))
        found = RunFolder(folders[-1].parent) if folders else None
        return Attached(done.returncode, output, found)

    def traces(self) -> tuple[set[Any], dict[str, Any]]:
        """What a guest could leave behind: the catalogs, and every Redis key with its groups."""
        with psycopg.connect(self.postgres.admin_dsn, dbname=self.database) as admin:
            catalogs = set(admin.execute(_CATALOGS.encode()).fetchall())
        keys: dict[str, Any] = {}
        with redis.Redis.from_url(self.redis.url, decode_responses=True) as client:
            for key in client.scan_iter():
                kind = client.type(key)
                groups: Any = client.xinfo_groups(key) if kind == "stream" else []
                keys[key] = (kind, sorted(group["name"] for group in groups))
        return catalogs, keys

    def _env(self, fault: str = "") -> dict[str, str]:
        return {
            **os.environ,
            "DESK_POSTGRES": self.owner,
            "DESK_REDIS": self.redis.url,
            "DESK_FAULT": fault,
        }

    @staticmethod
    def login() -> dict[str, str]:
        """The environment with what the contract's variables hold."""
        return {
            **os.environ,
            "DESK_REDIS_USER": SENDER,
            "DESK_REDIS_PASSWORD": PASSWORD,
            "DESK_POSTGRES_USER": READER,
            "DESK_POSTGRES_PASSWORD": PASSWORD,
        }
