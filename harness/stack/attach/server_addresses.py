"""Where the servers of a running system are; logins come from the environment alone."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from harness.contract.frozen import Frozen, Name
from harness.contract.urls import (
    MISPLACED,
    Host,
    Port,
    Url,
    check_printable_ascii,
    checked_host,
    read_url,
    validated,
)
from harness.errors import UsageError
from harness.observe.connection import mark_pooled
from harness.redis_connection import RedisServers, is_cluster, is_sentinel

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

_CONNECT_MAX_S = 5
_PORT = 5432
_HOSTS_MAX = 16
# Room for the paths of three certificates and several hosts.
_URL_MAX = 2_000
_SECRET_WORDS = re.compile(r"password|passfile|sslpassword", re.IGNORECASE)
_TO_ENVIRONMENT = 'write password_env = "NAME" and put the password into that variable'


class _Server(Frozen):
    """Where a server is, and the variables that hold who may enter."""

    url: Annotated[str, Field(min_length=1, max_length=_URL_MAX)]
    user_env: Variable | None = None
    password_env: Variable | None = None

    def credentials(self, where: str, env: Mapping[str, str]) -> tuple[str | None, str | None]:
        """User and password, as far as the contract names variables for them.

        Raises:
            UsageError: a variable that it names is not set.
        """
        both = (("user_env", self.user_env), ("password_env", self.password_env))
        named = {key: name for key, name in both if name}
        unset = [_shown(key, name) for key, name in named.items() if name not in env]
        if unset:
            raise UsageError(
                f"{' and '.join(unset)} not set in the environment",
                where=where,
                hint="the contract names the variable; export it, or take it out of the contract",
            )
        if broken := [_shown(key, name) for key, name in named.items() if not _is_text(env[name])]:
            raise UsageError(
                f"{' and '.join(broken)} not UTF-8",
                where=where,
                hint="servers take logins as UTF-8; export it from a shell whose locale is UTF-8",
            )
        user = env[self.user_env] if self.user_env else None
        return user, env[self.password_env] if self.password_env else None


def _is_text(value: str) -> bool:
    """Whether a variable held UTF-8; Python keeps other bytes as surrogates (PEP 383)."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(key: str, name: str) -> str:
    """The variable's name; the key instead, where it may be the password itself by mistake."""
    return name if name.isupper() else f"the variable that {key} names is"


_REDIS_SCHEMES = ("redis", "rediss")


class _RedisTls(Frozen):
    """Options of TLS in a URL of Redis; `ca`, `cert` and `key` are short for the long names."""

    ca: Name | None = None
    cert: Name | None = None
    key: Name | None = None
    ssl_ca_certs: Name | None = None
    ssl_ca_path: Name | None = None
    ssl_certfile: Name | None = None
    ssl_keyfile: Name | None = None
    ssl_cert_reqs: Literal["none", "optional", "required"] = "required"
    ssl_check_hostname: bool = True


class RedisAddress(_Server):
    """A Redis server, a Redis Cluster, or the master of a Sentinel."""

    @field_validator("url")
    @classmethod
    def _without_secrets(cls, url: str) -> str:
        check_printable_ascii(url)
        for one in _server_urls(url):
            parts = read_url(one, _REDIS_SCHEMES)
            if parts.has_password or any(_SECRET_WORDS.search(key) for key in parts.options):
                raise ValueError(f"holds a password; {_TO_ENVIRONMENT}")
            if parts.path and not (parts.path.isascii() and parts.path.isdigit()):
                raise ValueError("its database is no number: write redis://host:port/0")
            if parts.scheme == "redis" and parts.options:
                raise ValueError("has options, which are those of TLS; write rediss:// for it")
            validated(_RedisTls, parts.options)
        return url

    @property
    def _servers(self) -> tuple[Url, ...]:
        return tuple(read_url(one, _REDIS_SCHEMES) for one in _server_urls(self.url))

    @property
    def place(self) -> str:
        """Host and port of each server that the URL names, joined by commas."""
        return ",".join(
            one.model_copy(update={"port": one.port or 6379}).place for one in self._servers
        )

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that the URL names."""
        return tuple(one.host for one in self._servers)

    @property
    def service(self) -> str:
        """The name of the master, of Sentinel only."""
        return RedisServers.of(self.url).service if is_sentinel(self.url) else ""

    @property
    def is_tls(self) -> bool:
        """Whether connections use TLS."""
        return self.url.startswith("rediss")

    @property
    def database(self) -> str:
        """Number of the database."""
        return self._servers[0].path or "0"

    def secret_url(self, env: Mapping[str, str]) -> SecretStr:
        """The URL with user and password.

        Raises:
            UsageError: a variable is not set, or holds what is no text.
        """
        user, password = self.credentials("redis", env)
        parts = urlsplit(self.url)
        bare = parts.netloc.rpartition("@")[2]
        user = user or self._servers[0].user
        if user or password:
            bare = f"{quote(user, safe='')}:{quote(password or '', safe='')}@{bare}"
        return SecretStr(urlunsplit(parts._replace(netloc=bare)))


def _server_urls(url: str) -> tuple[str, ...]:
    """The URL of each server that a URL names.

    Raises:
        ValueError: it is not valid.
    """
    if not (is_cluster(url) or is_sentinel(url)):
        return (url,)
    servers = RedisServers.of(url)
    return tuple(servers.node_url(place) for place in servers.places)


def _checked_place(host: str) -> str:
    """The folder of a Unix socket, or a host."""
    return host if host.startswith("/") else checked_host(host)


_Hosts = Annotated[
    tuple[Annotated[str, AfterValidator(_checked_place)], ...], Field(max_length=_HOSTS_MAX)
]


class _PostgresOptions(Frozen):
    """What a conninfo may say, as libpq names it (PostgreSQL 16, section 34.1.2).

    Several hosts are one primary and its standbys.
    """

    host: _Hosts
    hostaddr: tuple[Host, ...] = ()
    port: tuple[Port, ...]
    dbname: Annotated[str, Field(min_length=1, max_length=63)]
    user: Name | None = None
    application_name: Name | None = None
    client_encoding: Literal["utf8", "UTF8", "auto"] | None = None
    connect_timeout: Annotated[int, Field(ge=1, le=600)] | None = None
    options: str | None = None
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    sslrootcert: Name | None = None
    sslcert: Name | None = None
    sslkey: Name | None = None
    sslcrl: Name | None = None
    sslcrldir: Name | None = None
    sslsni: Literal["0", "1"] | None = None
    sslcertmode: Literal["disable", "allow", "require"] | None = None
    ssl_min_protocol_version: Name | None = None
    ssl_max_protocol_version: Name | None = None
    channel_binding: Literal["disable", "prefer", "require"] | None = None
    gssencmode: Literal["disable", "prefer", "require"] | None = None
    krbsrvname: Name | None = None
    target_session_attrs: Literal[
        "any", "read-write", "read-only", "primary", "standby", "prefer-standby"
    ] = "any"
    keepalives: Literal["0", "1"] | None = None
    keepalives_idle: Annotated[int, Field(ge=0)] | None = None
    keepalives_interval: Annotated[int, Field(ge=0)] | None = None
    keepalives_count: Annotated[int, Field(ge=0)] | None = None
    tcp_user_timeout: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one_port_a_host(self) -> Self:
        if len(self.port) not in (1, len(self.host)):
            raise ValueError("give one port for all hosts, or one for each host")
        if self.hostaddr and len(self.hostaddr) != len(self.host):
            raise ValueError("give one hostaddr for each host")
        return self


class PostgresAddress(_Server):
    """A PostgreSQL, or one that speaks as it does.

    Attributes:
        pooler: whether a pooler in transaction mode is at the address.
    """

    pooler: bool = False

    @field_validator("url")
    @classmethod
    def _without_secrets(cls, url: str) -> str:
        if "://" in url:
            check_printable_ascii(url)
            if "@" in url.split("://", 1)[1].partition("/")[2] or url.count("@") > 1 or "#" in url:
                raise ValueError(f"cannot be read; {MISPLACED}")
        try:
            parts = conninfo_to_dict(url)
        except (psycopg.Error, ValueError):  # without its text, which may quote a part of it
            raise ValueError("cannot be read; write postgresql://host:port/database") from None
        if any(_SECRET_WORDS.search(key) for key in parts):
            raise ValueError(f"holds a password; {_TO_ENVIRONMENT}")
        missing = [key for key in ("host", "dbname") if not parts.get(key)]
        if missing:
            raise ValueError(
                f"names no {' and no '.join(missing)}: postgresql://host:port/database"
            )
        validated(_PostgresOptions, {**parts, **_split(parts)})
        return url

    @property
    def parts(self) -> Mapping[str, Any]:
        """What the URL names."""
        return conninfo_to_dict(self.url)

    @property
    def place(self) -> str:
        """Host and port, of each host."""
        ports = _split(self.parts)["port"]
        if len(ports) == 1:
            ports = ports * len(self.hosts)
        return ",".join(f"{host}:{port}" for host, port in zip(self.hosts, ports, strict=True))

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts alone."""
        return tuple(_split(self.parts)["host"])

    @property
    def database(self) -> str:
        """Name of the database."""
        return str(self.parts["dbname"])

    def secret_conninfo(self, env: Mapping[str, str]) -> SecretStr:
        """Conninfo with user and password; whatever is run on it cannot write.

        A pooler passes no start-up options on: there the login itself has to be read-only, which
        a check before the load demands. Of several hosts the primary is asked for. So it is for
        `read-write`: libpq would not accept a session of which the harness says that it is
        read-only.

        Raises:
            UsageError: a variable is not set, or holds what is no text.
        """
        user, password = self.credentials("postgres", env)
        known = {"user": user, "password": password}
        parts = self.parts
        if not self.pooler:
            options = f"{parts.get('options') or ''} -c default_transaction_read_only=on"
            known["options"] = options.strip()
        attributes = parts.get("target_session_attrs")
        if attributes == "read-write" or (attributes is None and len(self.hosts) > 1):
            known["target_session_attrs"] = "primary"
        conninfo = mark_pooled(self.url) if self.pooler else self.url
        return SecretStr(
            make_conninfo(
                conninfo,
                # Text of a database in SQL_ASCII would come as bytes.
                client_encoding="UTF8",
                connect_timeout=parts.get("connect_timeout") or _CONNECT_MAX_S,
                **{key: value for key, value in known.items() if value is not None},
            )
        )


def _split(parts: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What a conninfo has of each host."""
    found: dict[str, list[Any]] = {
        "host": str(parts["host"]).split(","),
        # An empty entry is the default, as for libpq.
        "port": [one or _PORT for one in str(parts.get("port") or "").split(",")],
    }
    if parts.get("hostaddr"):
        found["hostaddr"] = str(parts["hostaddr"]).split(",")
    return found


def is_loopback(host: str) -> bool:
    """Whether a host is this one, as far as its name shows."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "") or host.startswith("/")
