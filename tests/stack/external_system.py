"""A foreign system on real servers, with users of few rights, for tests of attaching to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import redis
import tomli_w
from psycopg import sql
from psycopg.conninfo import make_conninfo

from harness.evidence.run_folder import RunFolder
from harness.stack.attach.redis_checks import RIGHTS
from tests.stack.conftest import Postgres, Redis

ROOT = Path(__file__).resolve().parents[2]
# Of the desk; another system has its own.
READER = "desk_reader"
PASSWORD = "a/b@c 'd"
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
    """The result of a run of the harness."""

    code: int
    output: str
    folder: RunFolder | None

    @property
    def result(self) -> dict[str, Any]:
        """`result.json`."""
        assert self.folder is not None, self.output
        found: dict[str, Any] = json.loads(self.folder.result.read_text(encoding="utf-8"))
        return found

    def check(self, check_id: str) -> dict[str, Any]:
        """A check of the judgement."""
        checks: list[dict[str, Any]] = self.result["judgement"]["checks"]
        return next(check for check in checks if check["id"] == check_id)


@dataclass(frozen=True, slots=True)
class ExternalSystem:
    """Servers with the desk's tables, and two users: one may send and read, one may read.

    Attributes:
        example: its program, without the suffix; the contract and the scenario stand beside it.
        schema: of its tables.
        intake: stream of its orders, and their group.
        streams: others that are there before it works, with an entry of each.
        role: what its reader may do besides.
    """

    postgres: Postgres
    redis: Redis
    database: str
    example: ClassVar[Path] = ROOT / "examples" / "foreign" / "desk"
    schema: ClassVar[str] = "desk"
    intake: ClassVar[tuple[str, str]] = ("desk.orders", "desk-crew")
    streams: ClassVar[Mapping[str, dict[str, Any]]] = {
        "desk.heights": {"h": 1},
        "desk.results": {"ref": "x"},
    }
    role: ClassVar[str] = "LOGIN"

    @property
    def name(self) -> str:
        """What it is called."""
        return self.example.name

    @property
    def owner(self) -> str:
        """Conninfo of the desk itself."""
        return make_conninfo(self.postgres.owner_dsn, dbname=self.database)

    def prepare(self) -> None:
        """Tables and users."""
        with psycopg.connect(self.postgres.admin_dsn, autocommit=True) as admin:
            name = sql.Identifier(self.database)
            # Another module may have prepared the same system on these servers.
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER defi").format(name))
            reader = f"{self.name}_reader"
            known = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (reader,)).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            admin.execute(
                sql.SQL("{} ROLE {} {} PASSWORD {}").format(
                    verb, sql.Identifier(reader), sql.SQL(self.role), sql.Literal(PASSWORD)
                )
            )
        subprocess.run([*self._program(), "migrate"], env=self._env(), check=True)
        names = {
            "schema": sql.Identifier(self.schema),
            "reader": sql.Identifier(f"{self.name}_reader"),
        }
        with psycopg.connect(self.owner) as owner:
            for right in ("USAGE ON SCHEMA", "SELECT ON ALL TABLES IN SCHEMA"):
                grant = sql.SQL(f"GRANT {right} {{schema}} TO {{reader}}")
                owner.execute(grant.format(**names))
        with redis.Redis.from_url(self.redis.url) as client:
            # As it left them the evening before.
            stream, group = self.intake
            client.delete(stream, *self.streams)  # of another one on the same Redis
            client.xgroup_create(stream, group, id="0", mkstream=True)
            for stream, fields in self.streams.items():
                client.xadd(stream, fields)
            rights = ["on", f">{PASSWORD}", "~*", *RIGHTS.split()]
            client.execute_command("ACL", "SETUSER", f"{self.name}_sender", *rights)

    @contextmanager
    def open(self, fault: str = "", options: Sequence[str] = ()) -> Iterator[None]:
        """The system at work."""
        process = subprocess.Popen(
            [*self._program(), *options],
            env=self._env(fault),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"{self.name} is open\n"
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_OPEN_MAX_S)
            assert process.stdout is not None
            process.stdout.close()

    def contract(self, folder: Path, changes: Mapping[str, Any] | None = None) -> Path:
        """The example's contract with the addresses of these servers, and changes to it."""
        document = tomllib.loads(self.example.with_suffix(".toml").read_text("utf-8"))
        document["redis"]["url"] = f"redis://127.0.0.1:{self.redis.port}/0"
        document["postgres"]["url"] = f"postgresql://127.0.0.1:{self.postgres.port}/{self.database}"
        for key, value in (changes or {}).items():
            table, _, last = key.rpartition(".")
            (document[table] if table else document)[last] = value
        path = folder / "contract.toml"
        path.write_text(tomli_w.dumps(document), encoding="utf-8")
        return path

    def attach(
        self, folder: Path, *options: str, changes: Mapping[str, Any] | None = None
    ) -> Attached:
        """Run the example's scenario through the command line."""
        reports = folder / "reports"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "harness", "run", f"{self.example}-smoke.toml"),
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

    def _program(self) -> list[str]:
        return [sys.executable, str(self.example.with_suffix(".py"))]

    def _env(self, fault: str = "") -> dict[str, str]:
        scope = self.name.upper()
        return {
            **os.environ,
            f"{scope}_POSTGRES": self.owner,
            f"{scope}_REDIS": self.redis.url,
            f"{scope}_FAULT": fault,
        }

    def login(self) -> dict[str, str]:
        """The environment with what the contract's variables hold."""
        scope = self.name.upper()
        return {
            **os.environ,
            f"{scope}_REDIS_USER": f"{self.name}_sender",
            f"{scope}_REDIS_PASSWORD": PASSWORD,
            f"{scope}_POSTGRES_USER": f"{self.name}_reader",
            f"{scope}_POSTGRES_PASSWORD": PASSWORD,
        }
