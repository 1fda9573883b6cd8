"""Messages of real engines, and what they mean."""

from __future__ import annotations

import errno
import re
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stack.docker.error_causes import MEANINGS, Cause
from harness.stack.docker.explain import Failure, explain, to_single_line

# Status and message of an engine's answer; who says so stands before each lot.
ANSWERS = [
    # Docker Engine 20.10 to 28, images in its own store (moby, distribution)
    (
        404,
        "pull access denied for nosuch/x, repository does not exist or may require 'docker login':"
        " denied: requested access to the resource is denied",
        Cause.NO_IMAGE,
    ),
    (
        404,
        "manifest for redis:nosuch not found: manifest unknown: manifest unknown",
        Cause.NO_IMAGE,
    ),
    (404, "No such image: redis:nosuch", Cause.NO_IMAGE),
    (
        500,
        'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on'
        " 10.0.0.2:53: no such host",
        Cause.REGISTRY,
    ),
    (
        500,
        'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: Temporary'
        " failure in name resolution",
        Cause.REGISTRY,
    ),
    (
        500,
        'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
        Cause.REGISTRY,
    ),
    (
        500,
        'Get "https://registry-1.docker.io/v2/": net/http: request canceled while waiting for'
        " connection (Client.Timeout exceeded while awaiting headers)",
        Cause.REGISTRY,
    ),
    (
        500,
        'Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout',
        Cause.REGISTRY,
    ),
    (500, 'Get "https://registry-1.docker.io/v2/": context deadline exceeded', Cause.REGISTRY),
    (
        500,
        'Get "https://registry-1.docker.io/v2/": proxyconnect tcp: dial tcp 10.1.1.1:3128: i/o'
        " timeout",
        Cause.REGISTRY,
    ),
    (500, 'Get "https://registry-1.docker.io/v2/": EOF', Cause.REGISTRY),
    (
        500,
        'Get "https://r.example/v2/": x509: certificate signed by unknown authority',
        Cause.REGISTRY_TLS,
    ),
    (
        500,
        'Get "https://r.example/v2/": tls: failed to verify certificate: x509: certificate signed'
        " by unknown authority",
        Cause.REGISTRY_TLS,
    ),
    (
        500,
        'Get "https://r.example:5000/v2/": http: server gave HTTP response to HTTPS client',
        Cause.REGISTRY_TLS,
    ),
    (500, 'Get "https://r.example/v2/": no basic auth credentials', Cause.LOGIN),
    (
        500,
        'Head "https://r.example/v2/x/manifests/1": unauthorized: authentication required',
        Cause.LOGIN,
    ),
    (500, 'Head "https://ghcr.io/v2/x/y/manifests/latest": denied', Cause.LOGIN),
    (500, "denied", Cause.LOGIN),
    (500, "unauthorized", Cause.LOGIN),
    (500, "mkdir /var/lib/docker/x: permission denied", Cause.UNKNOWN),
    (
        500,
        'Head "https://registry-1.docker.io/v2/x/y/manifests/1": unauthorized: incorrect username'
        " or password",
        Cause.LOGIN,
    ),
    (
        500,
        "toomanyrequests: You have reached your pull rate limit. You may increase the limit by"
        " authenticating and upgrading: https://www.docker.com/increase-rate-limit",
        Cause.RATE_LIMIT,
    ),
    (
        429,
        "toomanyrequests: You have reached your unauthenticated pull rate limit."
        " https://www.docker.com/increase-rate-limit",
        Cause.RATE_LIMIT,
    ),
    (
        404,
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        Cause.PLATFORM,
    ),
    (
        404,
        "image with reference x:1 was found but does not match the specified platform: wanted"
        " linux/amd64, actual: linux/arm64",
        Cause.PLATFORM,
    ),
    (
        500,
        "failed to register layer: Error processing tar file(exit status 1): write /usr/lib/x.so:"
        " no space left on device",
        Cause.DISK_FULL,
    ),
    (
        500,
        "write /var/lib/docker/tmp/GetImageBlob408361129: no space left on device",
        Cause.DISK_FULL,
    ),
    (
        500,
        "create harness-x: mkdir /var/lib/docker/volumes/harness-x: no space left on device",
        Cause.DISK_FULL,
    ),
    (500, "mkdir /var/lib/docker/overlay2/abc-init: disk quota exceeded", Cause.DISK_FULL),
    (
        500,
        "driver failed programming external connectivity on endpoint x (c3fa): Bind for"
        " 127.0.0.1:8443 failed: port is already allocated",
        Cause.PORT_IN_USE,
    ),
    (
        500,
        "driver failed programming external connectivity on endpoint x (c3fa): Error starting"
        " userland proxy: listen tcp4 127.0.0.1:8443: bind: address already in use",
        Cause.PORT_IN_USE,
    ),
    (
        500,
        "failed to set up container networking: driver failed programming external connectivity on"
        " endpoint x (d5bd): failed to bind host port for 0.0.0.0:8443:172.18.0.2:443/tcp: address"
        " already in use",
        Cause.PORT_IN_USE,
    ),
    (
        500,
        "could not find an available, non-overlapping IPv4 address pool among the defaults to"
        " assign to the network",
        Cause.NO_SUBNET,
    ),
    (400, "all predefined address pools have been fully subnetted", Cause.NO_SUBNET),
    (
        500,
        "Failed to Setup IP tables: Unable to enable SKIP DNAT rule:  (iptables failed: iptables"
        " --wait -t nat -I DOCKER -i br-1 -j RETURN: iptables: No chain/target/match by that name.",
        Cause.FIREWALL,
    ),
    (
        400,
        "OCI runtime create failed: container_linux.go:380: starting container process caused:"
        ' exec: "nosuch": executable file not found in $PATH: unknown',
        Cause.NO_COMMAND,
    ),
    (
        400,
        "failed to create task for container: failed to create shim task: OCI runtime create"
        " failed: runc create failed: unable to start container process: error during container"
        ' init: exec: "/nosuch": stat /nosuch: no such file or directory: unknown',
        Cause.NO_COMMAND,
    ),
    (400, "No command specified", Cause.NO_COMMAND),
    (
        400,
        "OCI runtime create failed: runc create failed: unable to start container process:"
        " container init was OOM-killed (memory limit too low?): unknown",
        Cause.OUT_OF_MEMORY,
    ),
    (400, "Minimum memory limit allowed is 6MB", Cause.OUT_OF_MEMORY),
    (
        400,
        "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup"
        " is not mounted",
        Cause.CONTROL_GROUP,
    ),
    (
        500,
        'invalid mount config for type "bind": bind source path does not exist: /nosuch',
        Cause.MOUNT,
    ),
    (400, "invalid reference format: repository name must be lowercase", Cause.BAD_IMAGE_NAME),
    (
        400,
        "client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade"
        " your client to a newer version",
        Cause.CLIENT_TOO_OLD,
    ),
    (
        400,
        "client version 1.50 is too new. Maximum supported API version is 1.40",
        Cause.ENGINE_TOO_OLD,
    ),
    (400, "Client sent an HTTP request to an HTTPS server.", Cause.TLS),
    # Docker Engine with containerd's image store
    (
        404,
        'failed to resolve reference "docker.io/library/nosuch:1": pull access denied, repository'
        " does not exist or may require authorization: server message: insufficient_scope:"
        " authorization failed",
        Cause.NO_IMAGE,
    ),
    (
        404,
        'failed to resolve reference "docker.io/library/redis:nosuch":'
        " docker.io/library/redis:nosuch: not found",
        Cause.NO_IMAGE,
    ),
    (
        404,
        'failed to pull and unpack image "x:1": no match for platform in manifest: not found',
        Cause.PLATFORM,
    ),
    # Docker Desktop
    (
        500,
        "Ports are not available: exposing port TCP 127.0.0.1:8443 -> 0.0.0.0:0: listen tcp"
        " 127.0.0.1:8443: bind: address already in use",
        Cause.PORT_IN_USE,
    ),
    (
        500,
        "Mounts denied: The path /work/x is not shared from the host and is not known to Docker.",
        Cause.MOUNT,
    ),
    # Rootless Docker
    (
        500,
        "driver failed programming external connectivity on endpoint x: Error starting userland"
        " proxy: error while calling PortManager.AddPort(): cannot expose privileged port 443, you"
        " can add 'net.ipv4.ip_unprivileged_port_start=443' to /etc/sysctl.conf",
        Cause.PORT_FORBIDDEN,
    ),
    # Podman 4 and 5 with Docker's API (containers/image, netavark, pasta, crun)
    (
        500,
        "choosing an image from manifest list docker://x:latest: no image found in image index for"
        ' architecture "arm64", variant "v8", OS "linux"',
        Cause.PLATFORM,
    ),
    (
        500,
        "initializing source docker://x:latest: pinging container registry registry-1.docker.io:"
        ' Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such'
        " host",
        Cause.REGISTRY,
    ),
    (
        500,
        "initializing source docker://redis:nosuch: reading manifest nosuch in"
        " docker.io/library/redis: manifest unknown",
        Cause.NO_IMAGE,
    ),
    (
        500,
        "initializing source docker://quay.io/x/y:latest: reading manifest latest in quay.io/x/y:"
        " unauthorized: access to the requested resource is not authorized",
        Cause.LOGIN,
    ),
    (
        500,
        'short-name "x:1" did not resolve to an alias and no unqualified-search registries are'
        ' defined in "/etc/containers/registries.conf"',
        Cause.BAD_IMAGE_NAME,
    ),
    (500, "could not find free subnet from subnet pools", Cause.NO_SUBNET),
    (
        500,
        "rootlessport listen tcp 127.0.0.1:8443: bind: address already in use",
        Cause.PORT_IN_USE,
    ),
    (
        500,
        "pasta failed with exit code 1: Failed to bind port 8443 (Address already in use) for"
        " option '-t 127.0.0.1/8443-8443:443-443'",
        Cause.PORT_IN_USE,
    ),
    (
        500,
        "crun: executable file `nosuch` not found in $PATH: No such file or directory: OCI runtime"
        " attempted to invoke a command that was not found",
        Cause.NO_COMMAND,
    ),
    (
        500,
        "crun: the requested cgroup controller `cpu` is not available: OCI runtime error",
        Cause.CONTROL_GROUP,
    ),
    # docker-py
    (
        0,
        "Credentials store error: StoreError('docker-credential-desktop not installed or not"
        " available in PATH')",
        Cause.CREDENTIALS,
    ),
    # A container's own text (runc 1.0, runc 1.1 and later, crun)
    (
        0,
        "standard_init_linux.go:228: exec user process caused: exec format error",
        Cause.ARCHITECTURE,
    ),
    (0, "exec /docker-entrypoint.sh: exec format error", Cause.ARCHITECTURE),
    (0, "exec container process `/usr/bin/x`: Exec format error", Cause.ARCHITECTURE),
    (0, "could not write to file: No space left on device", Cause.DISK_FULL),
    # What no rule knows
    (404, "No such container: x", Cause.UNKNOWN),
    (409, 'Conflict. The container name "/x" is already in use by container "c".', Cause.UNKNOWN),
]

# Text and errno of errors where no engine answered.
CONNECTIONS = [
    ("('Connection aborted.', FileNotFoundError(2, 'No such file')", errno.ENOENT, Cause.ABSENT),
    ("('Connection aborted.', ConnectionRefusedError(111,", errno.ECONNREFUSED, Cause.ABSENT),
    ("('Connection aborted.', PermissionError(13, ", errno.EACCES, Cause.FORBIDDEN),
    ("[Errno 113] No route to host", errno.EHOSTUNREACH, Cause.UNREACHABLE),
    ("[Errno -2] Name or service not known", -2, Cause.UNREACHABLE),
    ("timed out", None, Cause.UNREACHABLE),
    ("UnixHTTPConnectionPool(host='localhost'): Read timed out.", None, Cause.BUSY),
    ("Invalid bind address protocol: ftp://x:1", None, Cause.BAD_ADDRESS),
    ("Port could not be cast to integer value as 'abc'", None, Cause.BAD_ADDRESS),
    ("Port out of range 0-65535", None, Cause.BAD_ADDRESS),
    ("Path to a certificate and key files must be provided", None, Cause.TLS),
    ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", ssl.SSL_ERROR_SSL, Cause.TLS),
    ("SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number", 1, Cause.TLS),
    (
        "API versions below 1.24 are no longer supported by this library.",
        None,
        Cause.ENGINE_TOO_OLD,
    ),
    ("Install paramiko package to enable ssh:// support", None, Cause.ELSEWHERE),
    ("('Connection aborted.', BadStatusLine(\"-ERR unknown command", None, Cause.NO_ENGINE),
    ("Expecting value: line 1 column 1 (char 0)", None, Cause.NO_ENGINE),
    ("something new", None, Cause.UNKNOWN),
]


@pytest.mark.parametrize(("status", "message", "cause"), ANSWERS)
def test_what_an_engine_answers(status: int, message: str, cause: Cause) -> None:
    """Each message has its cause, says so, and keeps the engine's own text."""
    found = explain(Failure(message, status))
    assert found.cause is cause
    assert " ".join(message.split())[-40:] in found.what
    assert bool(found.hint) == (cause is not Cause.UNKNOWN)


@pytest.mark.parametrize(("message", "number", "cause"), CONNECTIONS)
def test_why_no_engine_answers(message: str, number: int | None, cause: Cause) -> None:
    """By the text of the library, else by the number of the system call that failed."""
    found = explain(Failure(message, None, number, "kim"))
    assert found.cause is cause
    assert found.hint


def test_a_forbidden_socket_names_the_user_and_the_group() -> None:
    """A hint can be typed as it is."""
    hint = explain(Failure("", None, errno.EACCES, "kim")).hint
    assert "`sudo usermod -aG docker kim`" in hint
    assert "newgrp docker" in hint


def test_every_cause_has_a_meaning_and_what_to_do() -> None:
    """And no placeholder is left in it."""
    assert set(MEANINGS) == set(Cause) - {Cause.UNKNOWN}
    for text, hint in MEANINGS.values():
        assert text[0].islower()
        assert not text.endswith(".")
        assert not re.search(r"(?<!\{)\{(?!user\}|\{)", hint.replace("{{", "")), hint


@given(st.text(), st.one_of(st.none(), st.integers(0, 599)), st.one_of(st.none(), st.integers()))
def test_any_message_is_one_bounded_line(message: str, status: int | None, n: int | None) -> None:
    """Whatever an engine says."""
    found = explain(Failure(message, status, n))
    assert "\n" not in found.what
    assert len(found.what) < 600


def test_logins_and_long_chains() -> None:
    """A login of an address is not shown; of a long chain the end stays, where the cause is."""
    assert to_single_line("tcp://kim:secret@h:1 is\n wrong") == "tcp://***@h:1 is wrong"
    long = to_single_line("a: " * 500 + "no such file")
    assert len(long) < 420
    assert long.endswith("no such file")
