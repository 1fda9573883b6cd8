"""A PostgreSQL with TLS, and certificates for it; the wheel's is built without OpenSSL."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from harness.stack.ports import free_port

PASSWORD = "a-reader's-password"
_START_MAX_S = 20
_HBA = """\
local   all all                 trust
hostssl all cert_user  127.0.0.1/32 cert
hostssl all md5_user   127.0.0.1/32 md5
hostssl all desk_reader 127.0.0.1/32 scram-sha-256
"""
_ROLES = f"""
CREATE DATABASE desk;
CREATE ROLE desk_reader LOGIN PASSWORD '{PASSWORD.replace("'", "''")}';
CREATE ROLE cert_user LOGIN;
CREATE ROLE no_entry LOGIN;
SET password_encryption = 'md5';
CREATE ROLE md5_user LOGIN PASSWORD '{PASSWORD.replace("'", "''")}';
"""


def find_programs() -> Path | None:
    """`bin` of a PostgreSQL with TLS (Debian's), and None if `openssl` or it is missing."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return found[-1].parent if found and shutil.which("openssl") and os.getuid() == 0 else None


@dataclass(frozen=True, slots=True)
class TlsPostgres:
    """A running server with TLS on 127.0.0.1, whose certificate is of `db.test`.

    Attributes:
        folder: holds `ca.crt`, `other.crt` (another CA), and certificates of clients.
        port: of the server.
    """

    folder: Path
    port: int
    programs: Path

    def admin(self) -> psycopg.Connection[Any]:
        """The superuser, by the server's socket."""
        return psycopg.connect(
            f"host={self.folder} port={self.port} user=postgres dbname=postgres", autocommit=True
        )

    def use(self, certificate: str) -> None:
        """Let the server have another certificate."""
        for kind in ("crt", "key"):
            shutil.copy2(self.folder / f"{certificate}.{kind}", self.folder / f"server.{kind}")
            _give(self.folder / f"server.{kind}")
        with self.admin() as admin:
            admin.execute("SELECT pg_reload_conf()")
        time.sleep(0.3)  # the postmaster reads the files after it has the signal


def _give(path: Path) -> None:
    user = pwd.getpwnam("postgres")
    os.chown(path, user.pw_uid, user.pw_gid)
    path.chmod(0o600)


def _run(*argv: str, **more: Any) -> None:
    subprocess.run(argv, check=True, capture_output=True, timeout=60, **more)


def _certificates(folder: Path) -> None:
    for ca in ("ca", "other"):
        _run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", f"/CN={ca}", "-keyout", f"{ca}.key",
             "-out", f"{ca}.crt", cwd=folder)  # fmt: skip
    for name, subject, ca, days in (
        ("good", "db.test", "ca", "2"),
        ("wrong", "elsewhere.test", "ca", "2"),
        ("expired", "db.test", "ca", "-1"),
        ("client", "cert_user", "ca", "2"),
        ("client-other-user", "somebody", "ca", "2"),
        ("client-other-ca", "cert_user", "other", "2"),
        ("client-expired", "cert_user", "ca", "-1"),
    ):
        _run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-subj", f"/CN={subject}", "-addext", f"subjectAltName=DNS:{subject}",
             "-keyout", f"{name}.key", "-out", f"{name}.csr", cwd=folder)  # fmt: skip
        _run("openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.crt", "-CAkey",
             f"{ca}.key", "-CAcreateserial", "-days", days, "-copy_extensions", "copy",
             "-out", f"{name}.crt", cwd=folder)  # fmt: skip
        (folder / f"{name}.key").chmod(0o600)


@contextmanager
def running_tls_postgres(folder: Path, programs: Path) -> Iterator[TlsPostgres]:
    """A server in a folder, which its user can reach."""
    _certificates(folder)
    server = TlsPostgres(folder, free_port(), programs)
    user = pwd.getpwnam("postgres")
    as_user: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
    folder.chmod(0o755)
    os.chown(folder, user.pw_uid, user.pw_gid)
    _run(str(programs / "initdb"), "-D", str(folder / "data"), "--no-sync", "-U", "postgres",
         "--auth=trust", cwd=folder, **as_user)  # fmt: skip
    (folder / "data" / "pg_hba.conf").write_text(_HBA, encoding="utf-8")
    for kind in ("crt", "key"):
        shutil.copy2(folder / f"good.{kind}", folder / f"server.{kind}")
        _give(folder / f"server.{kind}")
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": server.port,
        "unix_socket_directories": folder,
        "fsync": "off",
        "ssl": "on",
        "ssl_cert_file": folder / "server.crt",
        "ssl_key_file": folder / "server.key",
        "ssl_ca_file": folder / "ca.crt",
    }
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(programs / "postgres"), "-D", str(folder / "data"), *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            **as_user,
        )
    try:
        deadline = time.monotonic() + _START_MAX_S
        while True:
            try:
                with server.admin() as admin:
                    for statement in _ROLES.strip().split(";\n"):
                        admin.execute(statement.encode())
                break
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(_START_MAX_S)
