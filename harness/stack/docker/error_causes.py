"""Why a container engine does not do what it is asked, and what a person can do.

Which message of an engine has which cause, `harness.stack.docker.explain` knows.
"""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why an engine did not do what it was asked."""

    ABSENT = "absent"
    FORBIDDEN = "forbidden"
    UNREACHABLE = "unreachable"
    BUSY = "busy"
    BAD_ADDRESS = "bad address"
    TLS = "tls"
    NO_ENGINE = "no engine"
    ENGINE_TOO_OLD = "engine too old"
    CLIENT_TOO_OLD = "client too old"
    ELSEWHERE = "elsewhere"
    NO_IMAGE = "no image"
    BAD_IMAGE_NAME = "bad image name"
    LOGIN = "login"
    CREDENTIALS = "credentials"
    REGISTRY = "registry"
    REGISTRY_TLS = "registry tls"
    RATE_LIMIT = "rate limit"
    PLATFORM = "platform"
    ARCHITECTURE = "architecture"
    NO_COMMAND = "no command"
    DISK_FULL = "disk full"
    PORT_IN_USE = "port in use"
    PORT_FORBIDDEN = "port forbidden"
    NO_SUBNET = "no subnet"
    FIREWALL = "firewall"
    CONTROL_GROUP = "control group"
    MOUNT = "mount"
    OUT_OF_MEMORY = "out of memory"
    UNKNOWN = "unknown"


START = (
    "start dockerd, or name its address in DOCKER_HOST (a rootless one is at"
    " unix://$XDG_RUNTIME_DIR/docker.sock); `--stack process` needs no engine"
)
_HOST = "an address is unix:///PATH or tcp://127.0.0.1:PORT"
_OFFLINE = "`harness images build offline`, then `--images offline`, needs no registry"
# Where the engine's text adds nothing to ours.
WITHOUT_MESSAGE = frozenset({Cause.ABSENT, Cause.FORBIDDEN, Cause.BUSY})
USAGE = frozenset({Cause.BAD_ADDRESS, Cause.BAD_IMAGE_NAME})
MEANINGS: dict[Cause, tuple[str, str]] = {
    Cause.ABSENT: ("no container engine answers there", START),
    Cause.FORBIDDEN: (
        "this user may not talk to the container engine",
        "`sudo usermod -aG docker {user}`, then `newgrp docker` or log in again (the group has"
        " root's rights); `--stack process` needs no engine",
    ),
    Cause.UNREACHABLE: (
        "no container engine can be reached there",
        f"check host, port and network; {_HOST}, and without DOCKER_HOST the local one is used",
    ),
    Cause.BUSY: (
        "the container engine did not answer in time",
        "`systemctl status docker` and its log show why; a busy host may be enough",
    ),
    Cause.BAD_ADDRESS: (
        "is not the address of a container engine",
        f"{_HOST}; `unset DOCKER_HOST` for the local engine",
    ),
    Cause.TLS: (
        "a secure connection to the container engine cannot be made",
        "DOCKER_CERT_PATH names the folder of ca.pem, cert.pem and key.pem; unset DOCKER_TLS_VERIFY"
        " and DOCKER_CERT_PATH for an engine without TLS",
    ),
    Cause.NO_ENGINE: (
        "what answers there is no container engine",
        f"{_HOST}; `unset DOCKER_HOST` for the local engine",
    ),
    Cause.ENGINE_TOO_OLD: (
        "the container engine is too old",
        "install Docker Engine 20.10 or later; `--stack process` needs no engine",
    ),
    Cause.CLIENT_TOO_OLD: (
        "the container engine is too new for the Python package docker",
        "`pip install -U docker` in the environment of the harness",
    ),
    Cause.ELSEWHERE: (
        "the container engine is on another machine",
        "run the harness on that machine: it reads quotas from the engine's own kernel and reaches"
        " services on 127.0.0.1 (instead of Docker Desktop, Docker Engine in this Linux);"
        " `--stack attach` measures a system that runs elsewhere",
    ),
    Cause.NO_IMAGE: (
        "no registry offers this image to you: no such name or tag, or a login is needed",
        f"check the name (`--image ROLE=IMAGE`), or `docker login REGISTRY`; {_OFFLINE}",
    ),
    Cause.BAD_IMAGE_NAME: (
        "is not the full name of an image",
        "write REGISTRY/NAME:TAG in lower case, such as docker.io/library/redis:7.2-alpine",
    ),
    Cause.LOGIN: (
        "the registry refuses the login, or wants one",
        f"`docker login REGISTRY` as this user; {_OFFLINE}",
    ),
    Cause.CREDENTIALS: (
        "the program that keeps the logins of registries does not work",
        "install it, or take credsStore and credHelpers out of ~/.docker/config.json",
    ),
    Cause.REGISTRY: (
        "the registry cannot be reached",
        f"check network, DNS and the proxy of dockerd; {_OFFLINE}",
    ),
    Cause.REGISTRY_TLS: (
        "the registry's certificate is not trusted, or it speaks no TLS",
        "put its CA into /etc/docker/certs.d/REGISTRY/ca.crt, or name it under insecure-registries"
        f" in /etc/docker/daemon.json; {_OFFLINE}",
    ),
    Cause.RATE_LIMIT: (
        "the registry's limit of downloads is used up",
        "`docker login` raises it; else wait (Docker Hub counts over hours), or set a mirror"
        f" (registry-mirrors in /etc/docker/daemon.json); {_OFFLINE}",
    ),
    Cause.PLATFORM: (
        "the image is not made for this machine's architecture",
        "name one that is (`--image ROLE=IMAGE`; `docker manifest inspect IMAGE` lists them)",
    ),
    Cause.ARCHITECTURE: (
        "the image holds programs for another architecture, or a script without `#!`",
        "`docker image inspect -f {{{{.Architecture}}}} IMAGE` against `uname -m`; build it for"
        " this machine (`docker build --platform`)",
    ),
    Cause.NO_COMMAND: (
        "the image has no such command",
        "a ROLE's image must hold what the service runs (docs/containers.md); try"
        " `docker run --rm IMAGE COMMAND`",
    ),
    Cause.DISK_FULL: (
        "the disk of the container engine is full",
        "`docker system df` shows what takes the room, `docker system prune` frees it;"
        " `docker info -f {{{{.DockerRootDir}}}}` is the folder",
    ),
    Cause.PORT_IN_USE: (
        "a port of this host is in use",
        "`ss -ltnp` and `docker ps` show by whom; end it, or choose another port",
    ),
    Cause.PORT_FORBIDDEN: (
        "the engine may not listen on this port of the host",
        "choose a port from 1024 on, or let net.ipv4.ip_unprivileged_port_start allow it",
    ),
    Cause.NO_SUBNET: (
        "the engine has no subnet left for another network",
        "`docker network prune` removes unused ones; more come from default-address-pools in"
        " /etc/docker/daemon.json",
    ),
    Cause.FIREWALL: (
        "the engine cannot write its rules of the firewall",
        "a firewall that was reloaded after dockerd's start lost them: `systemctl restart docker`",
    ),
    Cause.CONTROL_GROUP: (
        "the engine cannot put a quota in force",
        "`harness doctor` says which controller lacks; rootless engines need cpu and memory"
        " delegated by systemd",
    ),
    Cause.MOUNT: (
        "the engine cannot mount a folder or volume",
        "the folder must lie on the engine's own host, where it may read it",
    ),
    Cause.OUT_OF_MEMORY: (
        "memory does not suffice",
        "`docker stats` and `free -m` show who has it; a limit below 6 MiB is refused",
    ),
}
