"""A scenario's own quotas and PostgreSQL settings, in Compose files and specification; pure.

Both are changed alike, so that the verifier holds what is in force against the changed values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.scenario.system_settings import ServiceQuota
from harness.stack.compose_file import ComposeFile, ContainerSpec, size_bytes
from harness.stack.docker.settings import POSTGRES, Zones
from harness.stack.docker.specification import Quota
from harness.stack.settings import StackSettings


def change_zones(zones: Zones, settings: StackSettings) -> Zones:
    """The Compose files with the changed limits and settings."""
    return Zones(_change_file(zones.a, settings), _change_file(zones.b, settings))


def change_specification(
    specified: Mapping[str, Quota], settings: StackSettings
) -> dict[str, Quota]:
    """The specification with the changed limits and settings."""
    return {name: _change_row(name, row, settings) for name, row in specified.items()}


def _change_file(file: ComposeFile, settings: StackSettings) -> ComposeFile:
    return replace(file, services=tuple(_change_service(spec, settings) for spec in file.services))


def _change_service(spec: ContainerSpec, settings: StackSettings) -> ContainerSpec:
    quota = settings.quotas.get(spec.name, ServiceQuota.model_construct())
    if quota.cpus is not None:
        spec = replace(spec, cpu_quota_us=round(quota.cpus * spec.cpu_period_us))
    if quota.memory is not None:
        # As in the Compose files: without an equal limit with swap, as much swap comes on top.
        memory_bytes = size_bytes(quota.memory)
        spec = replace(spec, memory_bytes=memory_bytes, memory_swap_bytes=memory_bytes)
    if spec.name == POSTGRES:
        # Of an option that is given twice PostgreSQL takes the last one.
        options = (word for pair in settings.postgres.items() for word in ("-c", "=".join(pair)))
        spec = replace(spec, command=(*spec.command, *options))
    return spec


def _change_row(name: str, row: Quota, settings: StackSettings) -> Quota:
    quota = settings.quotas.get(name)
    changes: dict[str, object] = {} if quota is None else quota.model_dump(exclude_none=True)
    if name == POSTGRES:
        changes["settings"] = {**row.settings, **settings.postgres}
    return row.model_copy(update=changes)
