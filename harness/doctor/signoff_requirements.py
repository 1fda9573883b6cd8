"""The machine that a sign-off needs, compared with this one; pure."""

from __future__ import annotations

from collections.abc import Iterable

from harness.doctor.engine_rules import GENERATOR_CPUS, GIB, cpus_needed, version_numbers
from harness.doctor.host_facts import DOCKER, HostFacts, Quotas
from harness.doctor.host_rules import CORE_FOLDER, ENGINE_DATA
from harness.doctor.report import Finding, SignoffRequirement, Suitability

# Loop devices that clear themselves (LOOP_CONFIGURE), which faults of a disk are made with.
KERNEL_MIN = (5, 8)


def signoff_requirements(
    facts: HostFacts, quotas: Quotas, findings: Iterable[Finding]
) -> tuple[SignoffRequirement, ...]:
    """What is needed and what is here, each line as good as the findings that it stands on."""
    by_topic = {finding.topic: finding for finding in findings}

    def need(name: str, needed: str, here: str, *topics: str) -> SignoffRequirement:
        is_met = all(by_topic[topic].docker_max is Suitability.SIGNOFF for topic in topics)
        return SignoffRequirement(name, needed, here, is_met=is_met)

    engine = facts.engine
    groups = (
        "not seen"
        if engine is None
        else (
            f"version {engine.cgroup or 'not reported'},"
            f" driver {engine.cgroup_driver or 'not reported'}"
        )
    )
    disk = next((disk for disk in facts.disks if disk.role == ENGINE_DATA), None)
    return (
        need(
            "CPUs",
            f"{cpus_needed(quotas)}: {quotas.cpus:g} for the quotas of Zone B,"
            f" {GENERATOR_CPUS} for the generator; and {quotas.agent_cpus:g} for each agent"
            " container",
            str(facts.cpus or "not seen"),
            "CPUs",
        ),
        need(
            "memory",
            f"{quotas.memory_bytes / GIB:.1f} GiB free for the limits of Zone B; and"
            f" {quotas.agent_memory_bytes / GIB:g} GiB for each agent container",
            _memory(facts),
            "memory",
            "swap accounting",
        ),
        need(
            "disk",
            "NVMe below the engine's data folder, for the volumes of engine and PostgreSQL",
            ", ".join(disk.devices) if disk and disk.devices else "not seen",
            "NVMe",
        ),
        need(
            "core_pattern",
            f"core.%p, or a path below {CORE_FOLDER}",
            "not seen" if facts.core_pattern is None else facts.core_pattern or "empty",
            "core_pattern",
        ),
        need(
            "control groups",
            "version 1 or 2 with CPU quota and memory limit; driver systemd or cgroupfs",
            groups,
            "control groups",
        ),
        need(
            "container engine",
            f"{DOCKER} 20.10 or later, as root, on this kernel",
            "none" if engine is None else f"{engine.product or 'not reported'} {engine.version}",
            "Docker",
            "kind of engine",
        ),
        SignoffRequirement(
            "kernel",
            f"Linux {KERNEL_MIN[0]}.{KERNEL_MIN[1]} or later",
            facts.kernel or "not seen",
            is_met=version_numbers(facts.kernel or "") >= KERNEL_MIN,
        ),
    )


def _memory(facts: HostFacts) -> str:
    if facts.memory_bytes is None or facts.memory_available_bytes is None:
        return "not seen"
    available, total = facts.memory_available_bytes / GIB, facts.memory_bytes / GIB
    return f"{available:.1f} GiB free of {total:.1f} GiB"
