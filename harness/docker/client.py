"""The connection to the container engine, and its errors as ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker  # type: ignore[import-untyped] # the package publishes no types
import requests
from docker import errors

from harness.contract.urls import read_url
from harness.errors import StackError, UsageError

Client = Any
TIMEOUT_S = 60
_VARIABLE = "DOCKER_HOST"


def connect(timeout_s: int = TIMEOUT_S) -> Client:
    """A client of the engine that the environment names (DOCKER_HOST), else of the local one.

    Raises:
        UsageError: DOCKER_HOST names none.
        StackError: no engine answers.
    """
    _check_host(os.environ.get(_VARIABLE, ""))
    try:
        client = docker.from_env(timeout=timeout_s)
    except errors.DockerException as error:
        raise _absent(error) from error
    try:
        client.ping()
    except (errors.DockerException, requests.RequestException) as error:
        client.close()
        raise _absent(error) from error
    return client


@contextmanager
def engine_errors(where: str) -> Iterator[None]:
    """Errors of the engine inside the block become `StackError`."""
    try:
        yield
    except errors.APIError as error:
        raise StackError(str(error.explanation or error), where=where) from error
    except (errors.DockerException, requests.RequestException) as error:
        raise StackError(f"the container engine failed: {error}", where=where) from error


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


def _check_host(url: str) -> None:
    """Refuse what the client would repeat in an error, with a login that may stand in it."""
    scheme, separator, rest = url.partition("://")
    if not url or (scheme in ("unix", "http+unix") and separator and rest.startswith("/")):
        return
    try:
        if not separator:
            url = f"tcp://{url}"
        found = read_url(url, ("tcp", "http", "https", "ssh", "unix"))
        if found.has_password:
            raise ValueError("holds a password, which no engine asks for")
        if found.scheme == "unix":
            raise ValueError("names no socket: write unix:///var/run/docker.sock")
    except ValueError as error:
        raise UsageError(
            str(error), where=_VARIABLE, hint="write unix:///PATH, tcp://HOST:PORT or ssh://HOST"
        ) from None


def _absent(error: Exception) -> StackError:
    return StackError(
        f"no container engine answers: {error}",
        where="docker",
        hint="start dockerd, or set DOCKER_HOST; `--stack process` needs none",
    )
