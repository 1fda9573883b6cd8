"""Clients of a cluster and of a Sentinel; errors of TLS: each against real servers."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from harness.redis_connection import node_clients, node_url, redis_client, tls_problem
from harness.stack.attach.cluster_checks import slots_check
from harness.stack.attach.redis_checks import CLUSTER_RIGHTS, RIGHTS
from harness.stack.attach.stream_checks import stream_names
from harness.stack.ports import free_port
from tests.stack.redis_nodes import OwnCluster, ask
from tests.stack.swarm_setup import CHAIN_EVENTS, CONTRACT, PASSWORD, PROPOSALS, OwnRedis

pytestmark = pytest.mark.stack


def test_a_cluster_is_checked_with_the_least_rights(cluster: OwnCluster) -> None:
    """Slots, the node of each stream, and its streams are found by a user of documented rights."""
    for node in cluster.nodes:
        ask(
            node,
            *("ACL", "SETUSER", "sender", "on", f">{PASSWORD}", "~*"),
            *RIGHTS.split(),
            *CLUSTER_RIGHTS.split(),
        )
    cluster.client.xadd(PROPOSALS, {"x": "1"})
    cluster.block(1)
    url = cluster.url.get_secret_value().replace("//:", "//sender:")
    with redis_client(url) as client:
        check = slots_check(client, url, CONTRACT)
        assert not check.is_failed, check
        assert "3 primaries, 0 replicas, 16384 slots served" in check.message
        for key in (PROPOSALS, CHAIN_EVENTS):
            place = node_url(url, key).rpartition("@")[2].partition("/")[0]
            assert f"{key} is on {place}" in check.message
            assert place in node_clients(client)
        assert {PROPOSALS, CHAIN_EVENTS} <= set(stream_names(client))
        client.xinfo_stream(PROPOSALS)
        client.time()


@contextmanager
def sentinel_of(server: OwnRedis, folder: Path) -> Iterator[str]:
    """A Sentinel of a server; yields the URL of its master."""
    port = free_port()
    config = folder / "sentinel.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
        f"sentinel monitor desk 127.0.0.1 {server.port} 1\nsentinel auth-pass desk {PASSWORD}\n"
    )
    process = subprocess.Popen(
        [server.binary.path, config, "--sentinel"], stdout=subprocess.DEVNULL
    )
    try:
        with redis.Redis(
            port=port, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.1), 50)
        ) as client:
            client.ping()
        yield f"redis+sentinel://:{PASSWORD}@127.0.0.1:{port}/desk/0"
    finally:
        process.kill()
        process.wait()


def test_the_master_is_asked_of_the_sentinel(tmp_path: Path) -> None:
    """By the client, and for one connection; an unknown service is named."""
    server = OwnRedis(tmp_path)
    server.start()
    try:
        with sentinel_of(server, tmp_path) as url:
            assert node_url(url, "") == server.url.get_secret_value()
            with redis_client(url) as client:
                assert client.ping()
                assert client.info("server")["tcp_port"] == server.port
            with pytest.raises(redis.RedisError, match="no master named other"):
                node_url(url.replace("/desk/", "/other/"), "")
    finally:
        server.stop()


# Whether the alert arrives before the connection is closed depends on the host.
_CLOSED = "closed the connection during TLS"
_DENIED = b"-DENIED by the test\r\n"


class TlsServer:
    """Completes or refuses TLS handshakes; speaks no Redis."""

    def __init__(self, folder: Path, certificate: str, client_ca: str = "") -> None:
        self._is_plain = not certificate
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if certificate:
            self._context.load_cert_chain(
                folder / f"{certificate}.pem", folder / f"{certificate}.key"
            )
        if client_ca:
            self._context.load_verify_locations(folder / f"{client_ca}.pem")
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        """Accept no more."""
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            plain.settimeout(5)
            with suppress(OSError), plain:
                self._answer(plain)

    def _answer(self, plain: socket.socket) -> None:
        if self._is_plain:
            plain.sendall(_DENIED)
            plain.recv(1)
            return
        with self._context.wrap_socket(plain, server_side=True) as secure:
            while secure.recv(1000):
                secure.sendall(_DENIED)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`good`, `expired` and `other` (of another name) by `ca`; `self` by itself."""
    folder = tmp_path_factory.mktemp("certificates")
    now = datetime.now(UTC)
    day = timedelta(days=1)
    authority, authority_key = _certificate(folder, "ca", now + day, None, None)
    for name, until in (("good", now + day), ("expired", now - day), ("other", now + day)):
        _certificate(folder, name, until, authority, authority_key)
    _certificate(folder, "self", now + day, None, None)
    return folder


def _certificate(
    folder: Path,
    name: str,
    until: datetime,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey | None,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    host: x509.GeneralName = (
        x509.DNSName("other.example")
        if name == "other"
        else x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=9))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([host]), critical=False)
        .sign(issuer_key or key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return made, key


@pytest.mark.parametrize(
    ("server", "client_ca", "options", "message"),
    [
        ("good", "", "ca=ca.pem", ""),
        ("good", "ca", "ca=ca.pem&cert=good.pem&key=good.key", ""),
        ("expired", "", "ca=ca.pem", "has expired"),
        ("other", "", "ca=ca.pem", "is for another name"),
        ("good", "", "ca=self.pem", "not signed by a known CA"),
        ("self", "", "ca=ca.pem", "not signed by a known CA"),
        (
            "good",
            "ca",
            "ca=ca.pem",
            f"requires a client certificate|{_CLOSED}",
        ),
        (
            "good",
            "ca",
            "ca=ca.pem&cert=self.pem&key=self.key",
            f"does not accept the client|{_CLOSED}",
        ),
        ("good", "", "ca=absent.pem", "file cannot be read"),
        ("", "", "ca=ca.pem", "does not use TLS on this port"),
    ],
)
def test_tls_problems_are_named(
    certificates: Path, server: str, client_ca: str, options: str, message: str
) -> None:
    """What is wrong with a certificate: the message says it, and the hint what to do."""
    opened = TlsServer(certificates, server, client_ca)
    options = options.replace("=", f"={certificates}/")
    try:
        found = _tls_message(f"rediss://127.0.0.1:{opened.port}/0?{options}")
    finally:
        opened.close()
    assert re.search(message, found), found
    assert bool(found) == bool(message)


def _tls_message(url: str) -> str:
    """What is said of a connection; empty if it succeeds."""
    try:
        with redis_client(url) as client:
            client.execute_command("PING")
    except (redis.RedisError, OSError) as error:
        problem = tls_problem(str(error))
        return "" if "DENIED" in str(error) else problem.message if problem else str(error)
    return ""
