"""The connection to the container engine, and its errors as ours."""

from __future__ import annotations

import getpass
import os
import platform
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import docker  # type: ignore[import-untyped] # the package publishes no types
import requests
from docker import errors
from docker.context import ContextAPI  # type: ignore[import-untyped] # the same
from docker.context.config import (  # type: ignore[import-untyped] # the same
    get_current_context_name,
)
from docker.utils.config import find_config_file  # type: ignore[import-untyped] # the same

from harness.errors import Exit, StackError, UsageError
from harness.stack.docker.error_causes import Cause
from harness.stack.docker.explain import Explanation, Failure, explain, meaning, to_single_line

Client = Any
TIMEOUT_S = 60
# Engine 20.10: the oldest that reports the version of its control groups, and that runs were tried
# with. Podman answers with the same number.
API_MIN = (1, 41)
_VARIABLE = "DOCKER_HOST"
_REACH_MAX_S = 5.0
_SOCKET = "unix:///var/run/docker.sock"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CHAIN_MAX = 12


class EngineError(StackError):
    """An error of the container engine, with its cause."""

    def __init__(self, explained: Explanation, where: str) -> None:
        super().__init__(explained.what, where=where, hint=explained.hint)
        self.cause = explained.cause
        if explained.is_usage:
            self.exit_code = Exit.USAGE


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """Where the engine is; `tls` is the context's, None where the environment says it."""

    url: str
    origin: str
    tls: Any = None

    @property
    def where(self) -> str:
        """For a message: address and origin, without a login."""
        return to_single_line(f"{self.url} ({self.origin})" if self.origin else self.url)


def engine_address(environment: Mapping[str, str] = os.environ) -> EngineAddress:
    """The engine that the docker command would take: DOCKER_HOST, else its context.

    Raises:
        UsageError: there is no such context.
    """
    if host := environment.get(_VARIABLE):
        return EngineAddress(host, _VARIABLE)
    named = environment.get("DOCKER_CONTEXT")
    name = str(named or get_current_context_name())
    if name == "default":
        return EngineAddress(_SOCKET, "")
    origin = "DOCKER_CONTEXT" if named else "the current context of ~/.docker"
    try:
        context = ContextAPI.get_context(name)
    except (errors.DockerException, OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"context {name!r} cannot be read: {to_single_line(str(error))}",
            where=origin,
            hint="`docker context inspect` shows it; or name the engine in DOCKER_HOST",
        ) from error
    if context is None or not context.Host:
        raise UsageError(
            f"there is no context {name!r}",
            where=origin,
            hint="`docker context ls` lists them; or name the engine in DOCKER_HOST",
        )
    return EngineAddress(str(context.Host), f"context {name}", context.TLSConfig)


def connect(timeout_s: int = TIMEOUT_S) -> Client:
    """A client of the engine that the environment names, else of the local one.

    Raises:
        EngineError: no engine answers there, it is too old, or it may not be used.
        UsageError: DOCKER_CONTEXT names no context, or Docker's configuration is wrong.
    """
    address = engine_address()
    if address.url.startswith("ssh://"):
        raise _elsewhere(address.where)
    client: Client = None
    try:
        _reach(address.url)
        client = _client_of(address, timeout_s)
        client.ping()
    except (errors.DockerException, requests.RequestException, OSError, ValueError) as error:
        if client is not None:
            client.close()
        raise EngineError(explain(_failure(error)), address.where) from error
    except (AttributeError, TypeError) as error:  # the library takes its shape for granted
        raise UsageError(
            f"is not as the docker command writes it: {error}",
            where=find_config_file() or "~/.docker/config.json",
            hint="mend it, or name a folder without one in DOCKER_CONFIG",
        ) from error
    _need_version(client, address.where)
    return client


def need_this_host(client: Client) -> Mapping[str, Any]:
    """Make sure that the engine runs its containers on this host's kernel; what it reports.

    Raises:
        EngineError: they run on another machine, a virtual one included.
    """
    address = engine_address()
    with engine_errors("docker"):
        info = client.api.info()
    if why := other_machine(address.url, info, platform.release(), socket.gethostname()):
        raise _elsewhere(address.where, why)
    return dict(info)


def other_machine(url: str, info: Mapping[str, Any], kernel: str, host_name: str) -> str:
    """Why an engine must be on another machine; empty where it may be on this one.

    Args:
        url: its address.
        info: what it reports of itself (GET /info).
        kernel: release of the kernel of this process.
        host_name: of this machine.
    """
    system = str(info.get("OperatingSystem") or "another system")
    theirs = str(info.get("KernelVersion") or "")
    if theirs != kernel:
        return f"{system} on kernel {theirs or 'unknown'}, and this process runs on {kernel}"
    parts = urlsplit(url)
    is_far = parts.scheme not in ("unix", "") and (parts.hostname or "") not in _LOOPBACK
    if is_far and info.get("Name") != host_name:
        return f"it is called {info.get('Name')}, and this machine {host_name}"
    return ""


@contextmanager
def engine_errors(where: str) -> Iterator[None]:
    """Errors of the engine inside the block become `EngineError`."""
    try:
        yield
    except (errors.DockerException, requests.RequestException) as error:
        raise EngineError(explain(_failure(error, within=True)), where) from error


@contextmanager
def if_there() -> Iterator[None]:
    """Inside the block something that is not there, or not there any more, is no error."""
    try:
        yield
    except errors.NotFound:
        return
    except errors.APIError as error:
        if "already in progress" not in str(error):
            raise


def errno_of(error: BaseException) -> int | None:
    """The errno of the system call below an error, which libraries wrap several times."""
    pending: list[Any] = [error]
    for _ in range(_CHAIN_MAX):
        if not pending:
            break
        one = pending.pop(0)
        if type(one).__module__ != "requests.exceptions" and isinstance(one, OSError) and one.errno:
            return int(one.errno)
        if isinstance(one, BaseException):
            found = (*one.args, one.__cause__, one.__context__)
            pending += [each for each in found if isinstance(each, BaseException)]
    return None


def _failure(error: Exception, *, within: bool = False) -> Failure:
    """An error of the client; `within` a request that an engine was there to answer."""
    if isinstance(error, errors.APIError) and error.status_code is not None:
        return Failure(str(error.explanation or error), int(error.status_code))
    # What the library itself refuses, such as a credential store, is no silence of the engine.
    is_own = within and not isinstance(error, requests.RequestException)
    return Failure(str(error), 0 if is_own else None, errno_of(error), _user())


def _reach(url: str) -> None:
    """Knock at an address, for the plain error of the system call, and within seconds.

    The client wraps it, leaves a socket open, and waits a minute for a host that is not there.
    """
    parts = urlsplit(url.strip())
    if parts.scheme in ("tcp", "http", "https") and parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), _REACH_MAX_S).close()
    elif parts.scheme in ("unix", "http+unix") and (path := parts.netloc + parts.path):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
            knock.settimeout(_REACH_MAX_S)
            knock.connect(f"/{path.lstrip('/')}")


def _client_of(address: EngineAddress, timeout_s: int) -> Client:
    if address.origin.startswith("context "):
        tls = address.tls or False
        return docker.DockerClient(base_url=address.url, tls=tls, timeout=timeout_s)
    return docker.from_env(timeout=timeout_s)


def _need_version(client: Client, where: str) -> None:
    version = str(client.api.api_version)
    parts = tuple(int(part) for part in version.split(".") if part.isdigit())
    if parts < API_MIN:
        client.close()
        least = ".".join(str(part) for part in API_MIN)
        detail = f"it speaks version {version} of the API, {least} is needed"
        raise EngineError(meaning(Cause.ENGINE_TOO_OLD, detail), where)


def _elsewhere(where: str, why: str = "") -> EngineError:
    return EngineError(meaning(Cause.ELSEWHERE, why), where)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return "USER"
