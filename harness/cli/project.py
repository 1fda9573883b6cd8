"""The files of a new project of one's own: templates of `examples/project` and a contract."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pydantic import ValidationError

from harness.cli.init import CiSystem
from harness.data_files import EXAMPLES
from harness.errors import UsageError
from harness.scenario.file import format_problems
from harness.stack.attach.contract_sections import Entry, Section
from harness.stack.attach.contract_text import contract_text
from harness.stack.attach.proposal import Proposal
from harness.stack.attach.server_addresses import PostgresAddress, RedisAddress

REDIS_URL = "redis://127.0.0.1:6379/0"
POSTGRES_URL = "postgresql://127.0.0.1:5432/postgres"
CONTRACT = PurePosixPath("contract.toml")
# What the templates call the system, its variables, and the number of agents.
_NAME, _VARIABLES, _AGENTS = "my-system", "MY_SYSTEM", "agents = 50 "
_AGENTS_MAX = 50


_JOBS: Mapping[CiSystem, Mapping[PurePosixPath, str]] = {
    CiSystem.GITHUB: {PurePosixPath(".github/workflows/load-test.yml"): "github.yml"},
    CiSystem.GITLAB: {PurePosixPath(".gitlab-ci.yml"): "gitlab.yml"},
    CiSystem.NONE: {},
}
_FILES = {
    PurePosixPath("README.md"): "README.md",
    PurePosixPath("scenario.toml"): "scenario.toml",
    PurePosixPath("test_load.py"): "test_load.py",
}


class Servers(NamedTuple):
    """Where the servers of a system are."""

    redis: RedisAddress
    postgres: PostgresAddress


def servers_of(name: str, redis: str, postgres: str, env: Mapping[str, str]) -> Servers:
    """Addresses with the variables for the logins, as far as these are set.

    Args:
        name: of the system; `shop` has the variables `SHOP_REDIS_USER` and so on.
        redis: URL without a password.
        postgres: URL or conninfo without a password.
        env: of this process.

    Raises:
        UsageError: an address is wrong or holds a password; no part of it is repeated.
    """
    try:
        return Servers(
            RedisAddress(url=redis, **_logins(name, "REDIS", env)),
            PostgresAddress.model_validate({"url": postgres, **_logins(name, "POSTGRES", env)}),
        )
    except ValidationError as error:
        raise UsageError(
            format_problems(error, "address", hidden=("url",)),
            where="--redis, --from-database",
            hint="write redis://host:port/0 and postgresql://host:port/database; logins come from"
            f" {variable(name, 'POSTGRES', 'USER')}, {variable(name, 'POSTGRES', 'PASSWORD')} and"
            f" {variable(name, 'REDIS', 'USER')}, {variable(name, 'REDIS', 'PASSWORD')}",
        ) from error


def variable(name: str, server: str, what: str) -> str:
    """Name of the environment variable that holds a login or a password."""
    return f"{name.upper().replace('-', '_')}_{server}_{what}"


def _logins(name: str, server: str, env: Mapping[str, str]) -> dict[str, str]:
    both = (("user_env", "USER"), ("password_env", "PASSWORD"))
    named = {key: variable(name, server, what) for key, what in both}
    return {key: own for key, own in named.items() if env.get(own)}


def project_files(
    name: str, servers: Servers, proposal: Proposal, ci: CiSystem
) -> dict[PurePosixPath, str]:
    """The text of each file, by its place in the project."""
    agents = min(_AGENTS_MAX, len(proposal.addresses) or _AGENTS_MAX)
    changes = {
        _NAME: name,
        _VARIABLES: name.upper().replace("-", "_"),
        _AGENTS: f"agents = {agents} ",
    }
    files = {}
    for place, template in {**_FILES, **_JOBS[ci]}.items():
        text = (EXAMPLES / "project" / template).read_text(encoding="utf-8")
        for old, new in changes.items():
            text = text.replace(old, new)
        files[place] = text
    sections = (_server_section("redis", servers.redis, name),
                _server_section("postgres", servers.postgres, name))  # fmt: skip
    return {**files, CONTRACT: contract_text(name, sections, proposal)}


def _server_section(table: str, address: RedisAddress | PostgresAddress, name: str) -> Section:
    entries = [Entry("url", address.url, "without a password")]
    for key, what in (("user_env", "USER"), ("password_env", "PASSWORD")):
        own = variable(name, table.upper(), what)
        if getattr(address, key) is None:
            entries.append(Entry(key, None, f"a variable, such as {own}, if the server asks"))
        else:
            entries.append(Entry(key, own, "name of an environment variable"))
    return Section(table, tuple(entries))


def write_project(folder: Path, files: Mapping[PurePosixPath, str]) -> None:
    """Write files that are not there; none is changed, and none is written if one is there.

    Raises:
        UsageError: one is there, or the folder cannot be written.
    """
    there = [str(place) for place in files if os.path.lexists(folder / place)]
    if there:
        raise UsageError(
            f"has {', '.join(there)} already, and no file is overwritten",
            where=str(folder),
            hint="choose another folder, or move these files away",
        )
    for place, text in files.items():
        path = folder / place
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:  # never follows a link, or replaces one
                file.write(text)
        except OSError as error:
            raise UsageError(
                f"cannot be written: {error.strerror}",
                where=str(path),
                hint="choose another folder",
            ) from error
