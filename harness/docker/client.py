"""The connection to the container engine, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker  # type: ignore[import-untyped] # the package publishes no types
import requests
from docker import errors

from harness.errors import StackError

Client = Any
TIMEOUT_S = 60


def connect(timeout_s: int = TIMEOUT_S) -> Client:
    """A client of the engine that the environment names (DOCKER_HOST), else of the local one.

    Raises:
        StackError: no engine answers.
    """
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


def _absent(error: Exception) -> StackError:
    return StackError(
        f"no container engine answers: {error}",
        where="docker",
        hint="start dockerd, or set DOCKER_HOST; `--stack process` needs none",
    )
