"""Specification against what is in force, row by row; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.process.cgroup import Limits
from harness.stack.compose_file import ContainerSpec, RestartSpec, size_bytes
from harness.stack.docker.container_config import ContainerConfig, differences, same_image
from harness.stack.docker.live_container import LiveContainer
from harness.stack.docker.specification import Quota
from harness.stack.ports import LOOPBACK
from harness.stack.postgres_roles import same_setting

# Without a setting a control group has these (cgroup-v1/cpu.shares).
DEFAULT_SHARES = 1024
_DIGEST_SHOWN = len("sha256:") + 12
_UNITS = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


@dataclass(frozen=True, slots=True)
class VerificationRow:
    """One setting of one container.

    Attributes:
        when: the moment it was read: `start`, `gate` or `end` of a run.
    """

    container: str
    setting: str
    specified: str
    live: str
    ok: bool
    when: str = ""

    def __str__(self) -> str:
        return f"{self.container}: {self.setting} is {self.live}, specified is {self.specified}"


def rows_of_container(
    name: str,
    spec: ContainerSpec,
    wanted: ContainerConfig,
    live: LiveContainer,
    quota: Quota | None,
) -> tuple[VerificationRow, ...]:
    """Every row of one container.

    Args:
        name: what the container is called in the rows.
        spec: its service in the Compose file.
        wanted: facts of that service.
        live: what is in force.
        quota: its row of the specification, which wins over the Compose file.
    """

    def row(setting: str, specified: str, found: str, ok: bool | None = None) -> VerificationRow:
        return VerificationRow(
            name, setting, specified, found, specified == found if ok is None else ok
        )

    if live.limits is None:
        return (row("state", "running", live.status, ok=False), *_file_rows(name, spec, quota))
    limits = live.limits
    cpus = quota.cpus if quota else spec.cpus
    memory = quota.memory_bytes if quota else spec.memory_bytes
    shares = (quota.cpu_shares if quota else None) or spec.cpu_shares or DEFAULT_SHARES
    policy = quota.policy if quota else spec.restart
    rows = [
        row("CPU", _cpus(cpus, spec.cpu_period_us), _live_cpus(limits)),
        row("CPU shares", str(shares), str(limits.cpu_shares)),
        row("memory", _size(memory), _size(limits.memory_bytes)),
        row("swap", _size(spec.memory_swap_bytes - spec.memory_bytes), _size(limits.swap_bytes)),
        row("restart", _policy(policy), _policy(live.config.restart)),
        row("image", wanted.image, _image(live), same_image(wanted.image, live.config.image)),
        row("networks", _networks(wanted), _networks(live.config)),
        row("ports", _ports(wanted), _ports(live.config), ok=_ports_ok(wanted, live.config)),
    ]
    if limits.missing:  # such as of a rootless engine, to which they are not delegated
        found = f"not in the container's group: {', '.join(limits.missing)}"
        rows.append(row("controllers", "cpu, memory", found))
    rows += _mount_rows(name, spec, wanted, live)
    rows += _file_rows(name, spec, quota)
    if spec.core_unlimited or (quota and quota.core_dumps):
        rows.append(row("core file", "unlimited", live.core_limit))
    if spec.health is not None:
        # `starting` until the engine's first check: the harness has asked the same check itself.
        rows.append(row("health", "healthy", live.health, live.health in {"healthy", "starting"}))
    seen = {"memory_swap_bytes", "cpu_shares", "cpu_period_us", "cpu_quota_us", "memory_bytes"}
    seen |= {"restart", "image", "networks", "ports", "mounts", "tmpfs", "ulimits"}
    for field, left, right in differences(wanted, live.config):
        if field not in seen:
            # The environment holds passwords: that it differs is reported, never how.
            secret = field == "environment"
            left, right = ("as given", "changed") if secret else (left, right)
            rows.append(row(field, str(left), str(right), ok=False))
    return tuple(rows)


def rows_of_settings(
    name: str, question: str, specified: Mapping[str, str], live: Mapping[str, str]
) -> tuple[VerificationRow, ...]:
    """A server's settings as it reports them.

    Args:
        name: of the server.
        question: how it was asked: `SHOW`, `CONFIG GET`.
        specified: value by setting.
        live: its answers.
    """
    return tuple(
        VerificationRow(
            name,
            f"{question} {setting}",
            value,
            live.get(setting, "not reported"),
            ok=same_setting(value, live.get(setting, "")),
        )
        for setting, value in specified.items()
    )


def absent_row(name: str, found: bool) -> VerificationRow:
    """A container that is started on demand, outside of its gate."""
    return VerificationRow(name, "on demand", "absent", "present" if found else "absent", not found)


def table(rows: Iterable[VerificationRow]) -> dict[str, Any]:
    """The rows as JSON, with the verdict over all of them."""
    rows = tuple(rows)
    return {
        "ok": bool(rows) and all(row.ok for row in rows),
        "rows": [
            {
                "container": row.container,
                "setting": row.setting,
                "specified": row.specified,
                "live": row.live,
                "ok": row.ok,
                "when": row.when,
            }
            for row in rows
        ],
        "mismatches": [str(row) for row in rows if not row.ok],
    }


def _file_rows(name: str, spec: ContainerSpec, quota: Quota | None) -> list[VerificationRow]:
    """What the Compose file says otherwise than the specification; no row where they agree."""
    if quota is None:
        return []
    period = spec.cpu_period_us
    shares = str(spec.cpu_shares or DEFAULT_SHARES)
    pairs = {
        "CPU": (_cpus(quota.cpus, period), _cpus(spec.cpus, period)),
        "CPU shares": (str(quota.cpu_shares or shares), shares),
        "memory": (_size(quota.memory_bytes), _size(spec.memory_bytes)),
        "swap": (_size(0), _size(spec.memory_swap_bytes - spec.memory_bytes)),
        "restart": (_policy(quota.policy), _policy(spec.restart)),
        **_storage_pairs(spec, quota),
    }
    if quota.networks is not None:
        pairs["networks"] = (", ".join(sorted(quota.networks)), ", ".join(sorted(spec.networks)))
    return [
        VerificationRow(name, f"{setting} in the Compose file", specified, written, ok=False)
        for setting, (specified, written) in pairs.items()
        if specified != written
    ]


def _storage_pairs(spec: ContainerSpec, quota: Quota) -> dict[str, tuple[str, str]]:
    """What the specification asks for by kind only; asked for and written, where asked for."""
    read_only = all(mount.read_only for mount in spec.mounts if mount.is_folder)
    asked = {
        "tmpfs": (quota.tmpfs, bool(spec.tmpfs)),
        "volume": (quota.volume, any(not mount.is_folder for mount in spec.mounts)),
        "read-only code": (quota.read_only_code, bool(spec.mounts) and read_only),
        "core dumps": (quota.core_dumps, spec.core_unlimited),
    }
    answers = {True: "yes", False: "no"}
    return {name: ("yes", answers[given]) for name, (wanted, given) in asked.items() if wanted}


def _mount_rows(
    name: str, spec: ContainerSpec, wanted: ContainerConfig, live: LiveContainer
) -> list[VerificationRow]:
    rows = []
    engine = {target: (source, read_only) for source, target, read_only in live.config.mounts}
    for source, target, read_only in sorted(wanted.mounts):
        kernel = live.mounts.get(target)
        found_source, _ = engine.get(target, ("nothing", False))
        found = "absent" if kernel is None else f"{found_source}, {_access(kernel.read_only)}"
        specified = f"{source}, {_access(read_only)}"
        rows.append(VerificationRow(name, f"volume {target}", specified, found, specified == found))
    for target, options in spec.tmpfs:
        kernel = live.mounts.get(target)
        specified = f"tmpfs, {_size(_tmpfs_size(options))}"
        found = "absent" if kernel is None else f"{kernel.kind}, {_size(kernel.size_bytes or None)}"
        rows.append(VerificationRow(name, f"tmpfs {target}", specified, found, specified == found))
    return rows


def _tmpfs_size(options: str) -> int | None:
    for option in options.split(","):
        if option.startswith("size="):
            return size_bytes(option.removeprefix("size="))
    return None


def _access(read_only: bool) -> str:
    return "read-only" if read_only else "read-write"


def _image(live: LiveContainer) -> str:
    digest = live.repo_digests[0].partition("@")[2] if live.repo_digests else live.image_id
    return f"{live.config.image} ({digest[:_DIGEST_SHOWN]})"


def _cpus(cpus: float, period_us: int) -> str:
    return f"{cpus:.2f} ({round(cpus * period_us)} of {period_us} us)"


def _live_cpus(limits: Limits) -> str:
    if limits.cpu_quota_us is None:
        return "unlimited"
    return _cpus(limits.cpu_quota_us / limits.cpu_period_us, limits.cpu_period_us)


def _size(value: int | None) -> str:
    if value is None:
        return "unlimited"
    for factor, unit in _UNITS:
        if value >= factor and value % (factor // 1024) == 0:
            return f"{value / factor:g} {unit}"
    return f"{value} B"


def _policy(policy: RestartSpec) -> str:
    return f"{policy.name}, at most {policy.retries}" if policy.retries else policy.name


def _networks(facts: ContainerConfig) -> str:
    return ", ".join(sorted(network for network, _ in facts.networks)) or "none"


def _ports(facts: ContainerConfig) -> str:
    ports = sorted(f"{host}:{number}->{port}" for port, host, number in facts.ports)
    return ", ".join(ports) or "none"


def _ports_ok(wanted: ContainerConfig, found: ContainerConfig) -> bool:
    return wanted.ports == found.ports and all(host == LOOPBACK for _, host, _ in found.ports)
