"""The contract file of a running system: `--contract my-stack.toml`. See docs/attach.md."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from harness.contract.frozen import Frozen
from harness.contract.ledger import LedgerTable
from harness.contract.names import Contract, State
from harness.contract.observation import ObservationMethod, ObservationSettings
from harness.contract.relation_name import name_parts
from harness.errors import EvidenceError, UsageError, error_text
from harness.observe.method_registry import (
    find_method,
    load_definition,
    validate_settings,
)
from harness.safe_open import CONFIG_BYTES_MAX, read_regular
from harness.scenario.file import format_problems, read_toml
from harness.stack.attach.server_addresses import PostgresAddress, RedisAddress, is_loopback

HINT = "docs/attach.md explains every key; `false` leaves out what your system does not have"

# What a pooler in transaction mode does not pass on: replication and LISTEN.
_OWN_SESSION = (ObservationMethod.LOGICAL, ObservationMethod.NOTIFICATION)


class GradeClaim(Frozen):
    """What only the team can know.

    Attributes:
        generator_apart: the harness runs on another host than the system.
    """

    generator_apart: bool = False


class AttachFile(Contract):
    """A contract file: the names of a system, and where its servers are."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    redis: RedisAddress
    postgres: PostgresAddress
    grade: GradeClaim = GradeClaim()

    @field_validator("seen")
    @classmethod
    def _known_method(cls, seen: ObservationSettings) -> ObservationSettings:
        if not isinstance(seen.way, ObservationMethod):
            _check_external_method(seen)
        return seen

    @model_validator(mode="after")
    def _sound(self) -> AttachFile:
        found = [*self._seen_problems(), *self._other_problems()]
        if found:
            raise ValueError("; ".join(found))
        return self

    def _seen_problems(self) -> list[str]:
        seen, found = self.seen, []
        if seen.way is ObservationMethod.LOGICAL:
            if not seen.allow_slot:
                found.append(
                    "seen.way logical makes a temporary replication slot;"
                    " write seen.allow_slot = true, or choose polling"
                )
            if "publication" not in self.model_fields_set:
                found.append("seen.way logical needs the name of a publication of the task table")
        if self.postgres.pooler and seen.way in _OWN_SESSION:
            found.append(
                f"seen.way {seen.way} needs a session of its own, and a pooler gives none: give"
                " the address of the server itself, or choose polling"
            )
        if seen.way is ObservationMethod.NOTIFICATION and not (
            seen.channel and seen.format != "fields"
        ):
            found.append("seen.way notification needs seen.channel, and format json or text")
        if seen.way is ObservationMethod.STREAM and not (seen.stream and seen.format != "text"):
            found.append("seen.way stream needs seen.stream, and format fields or json")
        if isinstance(seen.way, ObservationMethod) and seen.settings:
            found.append(f"seen.settings: {seen.way.value} has none; only external methods do")
        if seen.way is ObservationMethod.POLLING and self.tasks.kept == "until_final":
            found.append(
                "tasks.kept until_final: a poll does not see rows that are deleted between two"
                " polls; name tasks.archive if they are moved, or choose another seen.way"
            )
        return found

    def _other_problems(self) -> list[str]:
        found = []
        if State.SIMULATED not in self.states.values():
            found.append("states: no status of yours stands for SIMULATED")
        if len({text.lower() for text in self.addresses}) < len(self.addresses):
            found.append("addresses: one stands there twice")
        found += self._name_problems()
        near = [host for host in (*self.redis.hosts, *self.postgres.hosts) if is_loopback(host)]
        if self.grade.generator_apart and near:
            found.append(f"grade.generator_apart: {near[0]} is this very host")
        return found

    def _name_problems(self) -> Iterator[str]:
        accounts = self.ledger.accounts if isinstance(self.ledger, LedgerTable) else None
        for key, name in (
            ("tasks.table", self.tasks.table),
            ("nonces.table", self.nonces and self.nonces.table),
            ("ledger.table", self.ledger and self.ledger.table),
            ("ledger.accounts", accounts),
        ):
            try:
                name_parts(name or "none")
            except ValueError as error:
                yield f"{key}: {error}"

    def contract(self) -> Contract:
        """The names alone. Chain events are only read: no group of ours on them."""
        values = {key: getattr(self, key) for key in Contract.model_fields}
        values["chain"] = self.chain.model_copy(update={"follow": "read"})
        return Contract.model_construct(**values)


def _check_external_method(seen: ObservationSettings) -> None:
    """Validate the settings of an external method by its own model, which this imports.

    Raises:
        ValueError: no such method, or wrong settings.
    """
    try:
        method = find_method(seen.way.value)
        definition = load_definition(method)
        validate_settings(definition, seen.settings)
    except UsageError as error:
        raise ValueError(f"{error_text(error)}; {error.hint}".rstrip("; ")) from error
    except ValidationError as error:
        problems = format_problems(error, "settings", hidden=_HIDDEN, model=definition.settings)
        name = f"{seen.way.value} of {method.package}"
        raise ValueError(f"settings of {name}: {problems}") from error


# Where a password may have been written by mistake.
_HIDDEN = ("url", "descriptors", "redis", "postgres", "user_env", "password_env")


def load_attach_file(path: Path) -> AttachFile:
    """Read a contract file, and the descriptor sets that it names.

    Raises:
        UsageError: missing, not TOML, or names every wrong entry at once.
    """
    document = read_toml(path)
    for table in ("codec", "chain"):
        _take_in_descriptors(document.get(table), path)
    if isinstance(seen := document.get("seen", {}), dict):
        document["seen"] = {"way": ObservationMethod.POLLING.value, **seen}
    try:
        # As JSON: just as strict, but a list may become a tuple and a text an enumeration.
        return AttachFile.model_validate_json(json.dumps(document, default=str), strict=True)
    except ValidationError as error:
        problems = format_problems(error, "contract", hidden=_HIDDEN, model=AttachFile)
        raise UsageError(problems, where=str(path), hint=HINT) from error


def _take_in_descriptors(table: Any, path: Path) -> None:
    """Put a descriptor set itself in the place of its file's name: the plan must stand alone."""
    if not isinstance(table, dict) or not isinstance(table.get("descriptors"), str):
        return
    file = path.parent / table["descriptors"]
    try:
        data = read_regular(file, CONFIG_BYTES_MAX, by_user=True)
        table["descriptors"] = base64.b64encode(data).decode()
    except OSError as error:
        raise UsageError(
            f"cannot be read: {error.strerror}",
            where=str(file),
            hint="make it with protoc --include_imports --descriptor_set_out=FILE",
        ) from error
    except EvidenceError as error:
        raise UsageError(error.what, where=error.where, hint=error.hint) from error
