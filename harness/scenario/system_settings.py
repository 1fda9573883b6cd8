"""Quotas and PostgreSQL settings of a scenario that differ from the specified ones.

A system with such a setting is another system than the specified one: a run on it is never a
sign-off (`harness.judge.grade`), and the stack verifies that the changed value is in force.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from harness.errors import nearest

# Services of the Compose files by their name in a scenario.
QUOTA_SERVICES: Mapping[str, str] = MappingProxyType(
    {
        "engine": "go-execution-engine",
        **{
            name: name
            for name in ("redis", "postgres", "data-processor", "chain-adapter", "mev-router")
        },
        "archiver": "archiver",
        "python-agent": "python-agent",
    }
)
_MEMORY = re.compile(r"^([1-9]\d{0,6})([mg])$")
_MIB = {"m": 1, "g": 1024}
_MEMORY_MIB_MIN, _MEMORY_MIB_MAX = 16, 1024 * 1024
# Whatever else is changed, a commit that PostgreSQL acknowledges has to be on disk.
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit", "data_sync_retry")
# Memory, planner, log writing, background work and locks: what changes speed. Not connections,
# security, files, replication or logging, on which the harness and its secrets depend.
_POSTGRES = re.compile(
    r"(shared_buffers|effective_cache_size|work_mem|maintenance_work_mem|autovacuum_work_mem"
    r"|temp_buffers|logical_decoding_work_mem|huge_pages|wal_buffers|wal_compression|wal_init_zero"
    r"|wal_recycle|wal_writer_(delay|flush_after)|(min|max)_wal_size|commit_(delay|siblings)"
    r"|checkpoint_(timeout|completion_target|flush_after)|bgwriter_\w+|backend_flush_after"
    r"|autovacuum(_(max_workers|naptime|vacuum|analyze)\w*)?|vacuum_cost_\w+"
    r"|(random|seq)_page_cost|cpu_\w+_cost|parallel_\w+_cost|enable_\w+|jit(_\w+_cost)?"
    r"|(effective|maintenance)_io_concurrency|max_parallel_\w+|max_worker_processes"
    r"|deadlock_timeout|max_locks_per_transaction|default_statistics_target|plan_cache_mode)"
)
# No quote, no space and no `=`: it is one word of a configuration file and of a command line.
_VALUE = re.compile(r"[A-Za-z0-9_.+-]{1,40}")
_EXAMPLES = ("shared_buffers", "work_mem", "wal_buffers", "commit_delay", "random_page_cost")


class ServiceQuota(BaseModel):
    """Limits of one service instead of the specified ones; None keeps the specified one.

    Attributes:
        cpus: CPU quota in cores.
        memory: memory limit, such as `512m` or `4g`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    cpus: Annotated[float, Field(ge=0.01, le=1024)] | None = None
    memory: str | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> ServiceQuota:
        if self.cpus is None and self.memory is None:
            raise ValueError("names neither cpus nor memory")
        if self.memory is not None:
            memory_mib(self.memory)
        return self


def memory_mib(text: str) -> int:
    """MiB of `512m` or `4g`.

    Raises:
        ValueError: it is no such text, or out of range.
    """
    match = _MEMORY.match(text)
    mib = int(match[1]) * _MIB[match[2]] if match else 0
    if not _MEMORY_MIB_MIN <= mib <= _MEMORY_MIB_MAX:
        raise ValueError(f"memory {text[:20]!r} is none from 16m to 1024g, such as 512m or 4g")
    return mib


def _check_services(quotas: dict[str, ServiceQuota]) -> dict[str, ServiceQuota]:
    for name in quotas:
        if name not in QUOTA_SERVICES:
            similar = nearest(name, QUOTA_SERVICES)
            hint = f"did you mean {similar}?" if similar else f"one of {', '.join(QUOTA_SERVICES)}"
            raise ValueError(f"there is no service {name[:40]!r}: {hint}")
    return quotas


def _check_settings(settings: dict[str, SettingValue]) -> dict[str, SettingValue]:
    for name, value in settings.items():
        check_postgres_setting(name)
        if not _VALUE.fullmatch(setting_text(value)):
            raise ValueError(f"{name}: {str(value)[:40]!r} is no word of at most 40 characters")
    return settings


def check_postgres_setting(name: str) -> None:
    """Make sure that a setting may be changed.

    Raises:
        ValueError: a verdict rests on it, or it is not one of those that change speed only.
    """
    if name in _DURABLE:
        raise ValueError(f"{name} stays as it is: an acknowledged commit has to be on disk")
    if not _POSTGRES.fullmatch(name):
        similar = nearest(name, _EXAMPLES)
        hint = f"did you mean {similar}?" if similar else f"such as {', '.join(_EXAMPLES)}"
        raise ValueError(f"{name[:40]!r} is no setting that may be changed: {hint}")


SettingValue = bool | int | float | str


def setting_text(value: SettingValue) -> str:
    """A value as PostgreSQL writes it: `on`, `0.9`, `64MB`."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


Quotas = Annotated[dict[str, ServiceQuota], AfterValidator(_check_services)]
PostgresSettings = Annotated[dict[str, SettingValue], AfterValidator(_check_settings)]
