"""Where Redis is and how it is reached: one server, a Redis Cluster, or the master of a Sentinel.

`redis://host:port/db` and `rediss://` (TLS) name one server, `redis+cluster://host,host/0` some
nodes of a cluster, `redis+sentinel://host,host/SERVICE/db` the Sentinels of a master;
`rediss+cluster://` and `rediss+sentinel://` use TLS. All waits are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import SSLConnection, parse_url
from redis.exceptions import (
    AskError,
    AuthenticationError,
    MovedError,
    NoPermissionError,
    RedisClusterException,
)
from redis.sentinel import Sentinel

TIMEOUT_S = 2.0
PORT = 6379
SENTINEL_PORT = 26379
CLUSTER, SENTINEL = "cluster", "sentinel"
_AUTHORITY = re.compile(r"([^/?#]*)(.*)", re.DOTALL)
# Short names of options; the long ones are those of redis-py.
_OPTIONS = {"ca": "ssl_ca_certs", "cert": "ssl_certfile", "key": "ssl_keyfile"}

Place = tuple[str, int]
# These have no types in redis-py.
_cluster_node: Any = ClusterNode
_parsed: Any = parse_url
_sentinel: Any = Sentinel


@dataclass(frozen=True, slots=True)
class RedisServers:
    """A parsed URL.

    Attributes:
        kind: `cluster`, `sentinel`, or empty for one server.
        places: host and port of each server that the URL names.
        service: name of the master, of Sentinel only.
    """

    kind: str
    places: tuple[Place, ...]
    service: str
    _scheme: str
    _login: str
    _path: str
    _query: str

    @classmethod
    def of(cls, url: str) -> RedisServers:
        """Parse a URL of a cluster or a Sentinel.

        Raises:
            ValueError: it is not valid; the text repeats no part of it.
        """
        scheme, _, rest = url.partition("://")
        scheme, _, kind = scheme.partition("+")
        if scheme not in ("redis", "rediss") or kind not in (CLUSTER, SENTINEL):
            raise ValueError("is no URL of a Redis Cluster or a Sentinel")
        found = _AUTHORITY.fullmatch(rest)
        authority, tail = found.groups() if found else ("", "")
        login, at, hosts = authority.rpartition("@")
        path, mark, query = tail.partition("?")
        path = path.strip("/")
        default = SENTINEL_PORT if kind == SENTINEL else PORT
        places = tuple(_place(host, default) for host in hosts.split(","))
        service, database = path.partition("/")[::2] if kind == SENTINEL else ("", path)
        if kind == SENTINEL and not service:
            raise ValueError("names no service: write redis+sentinel://host:port/SERVICE")
        if database and not (database.isascii() and database.isdigit()):
            raise ValueError("its database is no number")
        if kind == CLUSTER and database not in ("", "0"):
            raise ValueError("its database is not 0, the only one of a cluster")
        return cls(kind, places, service, scheme, login + at, database or "0", mark + query)

    def node_url(self, place: Place) -> str:
        """The URL of one server, with the login."""
        host, port = place
        host = f"[{host}]" if ":" in host else host
        return f"{self._scheme}://{self._login}{host}:{port}/{self._path}{self._query}"

    def without_login(self, place: Place) -> str:
        """The URL of one server, without the login."""
        return self.node_url(place).replace(f"://{self._login}", "://", 1)


def is_cluster(url: str) -> bool:
    """Whether a URL names nodes of a Redis Cluster."""
    return url.partition("://")[0].endswith(f"+{CLUSTER}")


def is_sentinel(url: str) -> bool:
    """Whether a URL names Sentinels."""
    return url.partition("://")[0].endswith(f"+{SENTINEL}")


def redis_client(url: str) -> redis.Redis:
    """A client with bounded waits.

    Of a cluster it follows redirections; of a Sentinel it asks for the master whenever it connects.

    Raises:
        ValueError: the URL is not valid.
        redis.RedisError: no node of the cluster, or no Sentinel answers.
    """
    if is_cluster(url):
        return cast("redis.Redis", cluster_client(url))
    if is_sentinel(url):
        return _master_client(url)
    client: redis.Redis = redis.Redis.from_url(
        single_url(url), socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    )
    return client


def cluster_client(url: str) -> RedisCluster:
    """A client of a cluster; see `redis_client`."""
    servers = RedisServers.of(url)
    options = _options(servers.node_url(servers.places[0]))
    options.pop("db", None)
    nodes = [_cluster_node(host, port) for host, port in servers.places]
    try:
        return RedisCluster(startup_nodes=nodes, **options)
    except RedisClusterException as error:  # which is no RedisError
        raise redis.ConnectionError(str(error)) from error


def node_clients(client: redis.Redis, *, primaries: bool = False) -> dict[str, redis.Redis]:
    """A client of each node by `host:port`; the client itself, by an empty name, of one server.

    Args:
        client: of `redis_client`; closing it closes the others.
        primaries: without replicas.
    """
    cluster: Any = client  # its methods have no types
    has_nodes = isinstance(cluster, RedisCluster)
    if not has_nodes:
        return {"": client}
    nodes: Any = cluster.get_primaries() if primaries else cluster.get_nodes()
    return {
        f"{node.host}:{node.port}": cluster.get_redis_connection(node)
        for node in sorted(nodes, key=lambda one: (one.host, one.port))
    }


def node_url(url: str, key: str) -> str:
    """The URL of the one server that serves a key now.

    Raises:
        ValueError: the URL is not valid.
        redis.RedisError: no server answers, or the slot of the key is not served.
    """
    if is_cluster(url):
        servers = RedisServers.of(url)
        return servers.node_url(_owner(servers, key))
    if is_sentinel(url):
        servers = RedisServers.of(url)
        return servers.node_url(_master(servers)[0])
    return single_url(url)


def key_client(url: str, key: str) -> redis.Redis:
    """A client of the server that serves a key.

    Of a cluster it is a client of the node that serves the key now: once the slot has moved, its
    commands on the key raise MovedError, and the caller asks for another client. The client of a
    whole cluster answers XINFO and TIME in other forms, and has no connection pool.

    Raises:
        ValueError: the URL is not valid.
        redis.RedisError: no server answers, or the slot of the key is not served.
    """
    return redis_client(node_url(url, key) if is_cluster(url) else url)


def single_url(url: str) -> str:
    """The URL of one server with the option names of redis-py."""
    address, mark, query = url.partition("?")
    if not mark:
        return url
    pairs = (pair.partition("=") for pair in query.split("&"))
    return f"{address}?" + "&".join(f"{_OPTIONS.get(name, name)}={v}" for name, _, v in pairs)


def _place(host: str, default: int) -> Place:
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, str(default)
    name = name.removeprefix("[").removesuffix("]")
    if not name or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65_536:
        raise ValueError("names a server without host, or with a port that is not 1 to 65535")
    return name, int(port)


def _options(url: str) -> dict[str, Any]:
    """Arguments of a client without the address."""
    options: dict[str, Any] = dict(_parsed(single_url(url)))
    options.pop("host", None)
    options.pop("port", None)
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    return options | {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}


def _owner(servers: RedisServers, key: str) -> Place:
    """The node that serves the slot of a key: the first node that answers redirects to it."""
    last: Exception = redis.ConnectionError("the URL names no node")
    for place in servers.places:
        try:
            with redis_client(servers.node_url(place)) as client:
                client.exists(key)
        except MovedError as moved:
            return moved.host or place[0], moved.port
        except AskError:
            return place  # the slot leaves this node, which owns it until then
        except (AuthenticationError, NoPermissionError):
            raise
        except (redis.RedisError, OSError) as error:
            last = error
        else:
            return place
    raise last


def _master(servers: RedisServers) -> tuple[Place, str]:
    """The address of the master, and the URL by which a Sentinel answered."""
    last: Exception = redis.ConnectionError("the URL names no Sentinel")
    for url in _sentinel_urls(servers):
        try:
            with redis_client(url) as client:
                found: Any = client.sentinel_get_master_addr_by_name(servers.service)
        except (redis.RedisError, OSError) as error:
            last = error
            continue
        if found:
            host = found[0].decode() if isinstance(found[0], bytes) else str(found[0])
            return (host, int(found[1])), url
        last = redis.ResponseError(f"Sentinel knows no master named {servers.service}")
    raise last


def _sentinel_urls(servers: RedisServers) -> Iterator[str]:
    """Each Sentinel without the login, then with it; a Sentinel has database 0 only."""
    for place in servers.places:
        bare = servers.without_login(place)
        for url in dict.fromkeys((bare, servers.node_url(place))):
            head, _, query = url.partition("?")
            yield head.rpartition("/")[0] + (f"?{query}" if query else "")


def _master_client(url: str) -> redis.Redis:
    servers = RedisServers.of(url)
    _, sentinel_url = _master(servers)
    options = _options(servers.node_url(servers.places[0]))
    sentinel = _sentinel(servers.places, sentinel_kwargs=_options(sentinel_url), **options)
    client: redis.Redis = sentinel.master_for(servers.service)
    return client


class TlsProblem(NamedTuple):
    """Why TLS failed, and what to do."""

    message: str
    hint: str


# Texts in the errors of OpenSSL, Python's `ssl` and redis-py.
_TLS_PROBLEMS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("certificate has expired",),
        "the server's certificate has expired",
        "renew the certificate of the server; also check the clock of this host",
    ),
    (
        ("Hostname mismatch", "IP address mismatch", "doesn't match"),
        "the server's certificate is for another name",
        "write the host name of the certificate in the URL",
    ),
    (
        ("unable to get local issuer", "self-signed certificate", "self signed certificate"),
        "the server's certificate is not signed by a known CA",
        "name the CA's certificate: rediss://host:port/0?ca=/path/ca.pem",
    ),
    (
        ("certificate required", "CERTIFICATE_REQUIRED", "peer did not return a certificate"),
        "the server requires a client certificate",
        "add cert=/path/client.pem&key=/path/client.key to the URL",
    ),
    (
        ("EOF occurred in violation of protocol",),
        "the server closed the connection during TLS",
        "it may require a client certificate (cert=/path/client.pem&key=/path/client.key),"
        " or not accept the one that it got",
    ),
    (
        ("alert unknown ca", "ALERT_UNKNOWN_CA", "alert bad certificate"),
        "the server does not accept the client certificate",
        "have the client certificate signed by a CA that the server knows",
    ),
    (
        ("WRONG_VERSION_NUMBER", "wrong version number", "record layer failure"),
        "the server does not use TLS on this port",
        "write redis:// for a connection without TLS, or the port of TLS",
    ),
    (
        ("No such file or directory", "PEM lib", "NO_CERTIFICATE_OR_CRL_FOUND"),
        "a certificate or key file cannot be read",
        "check the paths of ca, cert and key in the URL",
    ),
)


def tls_problem(text: str) -> TlsProblem | None:
    """The cause of a failed connection with TLS, by the text of its error; None if it is another.

    Args:
        text: of an error of redis-py.
    """
    for parts, message, hint in _TLS_PROBLEMS:
        if any(part in text for part in parts):
            return TlsProblem(message, hint)
    return None
