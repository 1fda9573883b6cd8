"""Where the servers of a running system are; who may enter is told by the environment alone."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import Field, SecretStr, field_validator

from harness.contract.frozen import Frozen, Name
from harness.errors import UsageError

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

_CONNECT_MAX_S = 5
_SECRET_WORDS = re.compile(r"password|passfile|sslpassword", re.IGNORECASE)
_TO_ENVIRONMENT = 'write password_env = "NAME" and put the password into that variable'


class _Server(Frozen):
    """Where a server is, and the variables that hold who may enter."""

    url: Name
    user_env: Variable | None = None
    password_env: Variable | None = None

    def credentials(self, where: str, env: Mapping[str, str]) -> tuple[str | None, str | None]:
        """User and password, as far as the contract names variables for them.

        Raises:
            UsageError: a variable that it names is not set.
        """
        named = {"user_env": self.user_env, "password_env": self.password_env}
        unset = [_shown(key, name) for key, name in named.items() if name and name not in env]
        if unset:
            raise UsageError(
                f"{' and '.join(unset)} not set in the environment",
                where=where,
                hint="the contract names the variable; export it, or take it out of the contract",
            )
        # An error of whoever encodes it would quote the value.
        odd = [_shown(key, name) for key, name in named.items() if name and not _is_utf8(env[name])]
        if odd:
            raise UsageError(
                f"{' and '.join(odd)} not in UTF-8",
                where=where,
                hint="export it again from a shell whose locale is UTF-8",
            )
        user = env[self.user_env] if self.user_env else None
        return user, env[self.password_env] if self.password_env else None


def _is_utf8(value: str) -> bool:
    """Whether a variable was UTF-8: bytes that are not come as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(key: str, name: str) -> str:
    """The variable's name; the key instead, where it may be the password itself by mistake."""
    return name if name.isupper() else f"the variable that {key} names is"


class RedisAt(_Server):
    """A Redis, or one that speaks as it does."""

    @field_validator("url")
    @classmethod
    def _without_secrets(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == "redis+cluster":
            raise ValueError(
                "a cluster cannot be attached yet; give redis:// of the node that owns the stream"
            )
        if parts.scheme not in ("redis", "rediss") or not parts.hostname:
            raise ValueError("write redis://host:port/db, or rediss:// for TLS")
        query = parse_qs(parts.query)
        if parts.password or any(_SECRET_WORDS.search(key) for key in query):
            raise ValueError(f"holds a password; {_TO_ENVIRONMENT}")
        return url

    @property
    def place(self) -> str:
        """Host and port."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or 6379}"

    @property
    def host(self) -> str:
        """The host alone."""
        return urlsplit(self.url).hostname or ""

    @property
    def database(self) -> str:
        """Number of the database."""
        return urlsplit(self.url).path.strip("/") or "0"

    def secret_url(self, env: Mapping[str, str]) -> SecretStr:
        """The URL with user and password.

        Raises:
            UsageError: a variable is not set.
        """
        user, password = self.credentials("redis", env)
        parts = urlsplit(self.url)
        bare = parts.netloc.rpartition("@")[2]
        user = user or parts.username or ""
        if user or password:
            bare = f"{quote(user, safe='')}:{quote(password or '', safe='')}@{bare}"
        return SecretStr(urlunsplit(parts._replace(netloc=bare)))


class PostgresAt(_Server):
    """A PostgreSQL, or one that speaks as it does."""

    @field_validator("url")
    @classmethod
    def _without_secrets(cls, url: str) -> str:
        try:
            parts = conninfo_to_dict(url)
        except psycopg.Error:  # without its text, which may quote a part of a password
            raise ValueError("cannot be read; write postgresql://host:port/database") from None
        if any(_SECRET_WORDS.search(key) for key in parts):
            raise ValueError(f"holds a password; {_TO_ENVIRONMENT}")
        missing = [key for key in ("host", "dbname") if not parts.get(key)]
        if missing:
            raise ValueError(
                f"names no {' and no '.join(missing)}: postgresql://host:port/database"
            )
        return url

    @property
    def parts(self) -> Mapping[str, Any]:
        """What the URL names."""
        return conninfo_to_dict(self.url)

    @property
    def place(self) -> str:
        """Host and port."""
        return f"{self.parts['host']}:{self.parts.get('port') or 5432}"

    @property
    def host(self) -> str:
        """The host alone."""
        return str(self.parts["host"])

    @property
    def database(self) -> str:
        """Name of the database."""
        return str(self.parts["dbname"])

    def secret_conninfo(self, env: Mapping[str, str]) -> SecretStr:
        """Conninfo with user and password; whatever is run on it cannot write.

        Raises:
            UsageError: a variable is not set.
        """
        user, password = self.credentials("postgres", env)
        known = {"user": user, "password": password}
        parts = self.parts
        options = f"{parts.get('options') or ''} -c default_transaction_read_only=on".strip()
        return SecretStr(
            make_conninfo(
                self.url,
                options=options,
                # Text of a database in SQL_ASCII would come as bytes.
                client_encoding="UTF8",
                connect_timeout=parts.get("connect_timeout") or _CONNECT_MAX_S,
                **{key: value for key, value in known.items() if value is not None},
            )
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this one, as far as its name tells."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "") or host.startswith("/")
