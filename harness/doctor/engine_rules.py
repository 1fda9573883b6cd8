"""What the facts about the container engine, its CPUs and its memory mean; pure.

What was not seen counts as the worst that it could be, so that the conclusion never claims more
than the probes saw.
"""

from __future__ import annotations

import math

from harness.doctor.host_facts import DESKTOP, DOCKER, PODMAN, EngineFacts, HostFacts, Quotas
from harness.doctor.report import Finding, Level, Suitability

NO_ENGINE = "no engine answered"


def engine_kind(facts: HostFacts) -> Finding:
    """Whether it is the engine that runs are tried with, as root, on this machine."""
    topic, engine = "kind of engine", facts.engine
    if engine is None:
        return no_engine_finding(topic)
    if engine.product == DOCKER and engine.rootless is False:
        return Finding(topic, Level.OK, f"{DOCKER}, as root", "the kind that runs are tried with")
    rootless = ", rootless" if engine.rootless else ""
    found = f"{engine.product or 'not reported'}{rootless}"
    if engine.product == DESKTOP:
        means = (
            "containers run in a virtual machine: `docker compose` works; quotas cannot be read"
            " back from another kernel's control groups, and no run can be judged"
        )
        todo = "install Docker Engine in this Linux (`docker context use default`)"
        return Finding(topic, Level.BAD, found, means, todo, docker_max=Suitability.NOTHING)
    if engine.rootless:
        means = (
            "containers start, and quotas are read back where cpu and memory are delegated; a gate"
            " does not reach Anvil, faults of network and disk need root, and published ports pass"
            " a proxy that adds to every latency"
        )
    elif engine.product == PODMAN:
        means = (
            "containers start behind Docker's API, and quotas are read back; restarts and OOM kills"
            " are reported by other events than Docker's, and no test of the harness runs on it"
        )
    else:
        means = "what it can do is not known"
    todo = "for a sign-off use Docker Engine as root (the system's dockerd)"
    return Finding(topic, Level.WARN, found, means, todo, docker_max=Suitability.INDICATIVE)


def no_engine_finding(topic: str) -> Finding:
    """The finding on a fact that only an engine reports, where none answered."""
    return Finding(
        topic,
        Level.WARN,
        f"not seen: {NO_ENGINE}",
        "quotas are the engine's work",
        "see Docker",
        docker_max=Suitability.NOTHING,
    )


GIB = 1024**3
# Swarm and observer each keep up to a core busy; on the cores of the system under test they
# would be measured too.
GENERATOR_CPUS = 2
# What the servers and the harness itself take at least before any load.
MEMORY_RUN_MIN = 1 * GIB
_ENGINE_MIN = (20, 10)


def engine_findings(facts: HostFacts, quotas: Quotas) -> tuple[Finding, ...]:
    """Docker, control groups, and the quotas that it must hold."""
    return (
        docker(facts),
        engine_kind(facts),
        control_groups(facts),
        swap_accounting(facts),
        cpus(facts, quotas),
        memory(facts, quotas),
    )


def docker(facts: HostFacts) -> Finding:
    """Whether containers can be started and inspected."""
    engine = facts.engine
    if engine is None:
        return Finding(
            "Docker",
            Level.BAD,
            facts.engine_problem or NO_ENGINE,
            "no containers: neither quotas nor isolation can be tried",
            facts.engine_todo or "install and start dockerd, or set DOCKER_HOST",
            docker_max=Suitability.NOTHING,
        )
    found = f"engine {engine.version}"
    if engine.product != PODMAN and version_numbers(engine.version) < _ENGINE_MIN:
        return Finding(
            "Docker",
            Level.WARN,
            found,
            "older than any engine that the harness was tried with",
            f"use {_ENGINE_MIN[0]}.{_ENGINE_MIN[1]} or later",
            docker_max=Suitability.INDICATIVE,
        )
    if engine.kernel is None or engine.kernel != facts.kernel:
        return Finding(
            "Docker",
            Level.BAD,
            f"{found}, on another kernel than this process ({engine.kernel or 'not reported'})",
            "containers run in another machine, whose control groups cannot be read from here:"
            " no quota can be proven",
            "install Docker Engine in this Linux, or run the harness on the engine's own host",
            docker_max=Suitability.NOTHING,
        )
    return Finding("Docker", Level.OK, found, "containers can be started and inspected")


def version_numbers(text: str) -> tuple[int, ...]:
    """Major and minor number of a version such as `28.2.2` or `6.1.0-13-amd64`."""
    numbers = []
    for part in text.split(".")[:2]:
        digits = "".join(char for char in part if char.isascii() and char.isdigit())
        numbers.append(int(digits or 0))
    return tuple(numbers)


def control_groups(facts: HostFacts) -> Finding:
    """Whether CPU and memory quotas can be in force."""
    topic, engine = "control groups", facts.engine
    if engine is None:
        return no_engine_finding(topic)
    needed = (("CPU quota", engine.cpu_quota), ("memory limit", engine.memory_limit))
    missing = [name for name, has in needed if not has]
    if missing:
        return Finding(
            topic,
            Level.BAD,
            f"version {engine.cgroup or 'unknown'}, not shown to have {' and '.join(missing)}",
            "containers start without it: every run would be INVALID, and no quota can be proven",
            _enabled(engine),
            docker_max=Suitability.NOTHING,
        )
    if engine.kernel is None or engine.kernel != facts.kernel:
        return Finding(
            topic,
            Level.WARN,
            f"version {engine.cgroup or 'unknown'}, of another kernel",
            "quotas can be in force there; they cannot be read back from here",
            "see Docker",
            docker_max=Suitability.NOTHING,
        )
    if engine.cgroup not in ("1", "2"):
        return Finding(
            topic,
            Level.WARN,
            "the engine does not report their version",
            "whether quotas can be read back shows only when a run does it",
            "use a Docker engine of version 20.10 or later",
            docker_max=Suitability.INDICATIVE,
        )
    return Finding(
        topic,
        Level.OK,
        f"version {engine.cgroup}, with CPU quota and memory limit",
        "quotas can be in force and be read back",
    )


def _enabled(engine: EngineFacts) -> str:
    """How to enable the controllers cpu and memory."""
    if engine.cgroup != "2":
        return "enable the controllers cpu and memory (kernel options cgroup_enable=cpu,memory)"
    if engine.rootless:
        return (
            "delegate them: `Delegate=cpu cpuset io memory pids` below [Service] in"
            " /etc/systemd/system/user@.service.d/delegate.conf, `systemctl daemon-reload`, log in"
        )
    return "echo '+cpu +memory' > /sys/fs/cgroup/cgroup.subtree_control, then restart dockerd"


def swap_accounting(facts: HostFacts) -> Finding:
    """Whether a memory limit also limits swap."""
    topic, engine = "swap accounting", facts.engine
    if engine is None:
        return no_engine_finding(topic)
    if engine.swap_limit:
        return Finding(topic, Level.OK, "on", "a memory limit is hard: no swap beyond it")
    without_swap = facts.swap_bytes == 0
    return Finding(
        topic,
        Level.WARN,
        ("off" if engine.swap_limit is False else "not reported")
        + (", but the host has no swap" if without_swap else ""),
        "a container beyond its memory limit may go on in swap instead of being ended",
        "boot with swapaccount=1 (control groups version 1)",
        docker_max=Suitability.INDICATIVE,
    )


def cpus_needed(quotas: Quotas) -> int:
    """CPUs of a host where no container waits for another, nor for the generator."""
    return math.ceil(quotas.cpus + GENERATOR_CPUS)


def cpus(facts: HostFacts, quotas: Quotas) -> Finding:
    """CPUs against the sum of the quotas, with room for the generator."""
    needed = cpus_needed(quotas)
    engine = facts.engine
    count = _smaller(facts.cpus, engine, engine.cpus if engine else None)
    if count is None:
        return Finding(
            "CPUs",
            Level.WARN,
            "not seen",
            f"quotas of Zone B add up to {quotas.cpus:g} cores",
            "run where the number of CPUs can be read",
            docker_max=Suitability.INDICATIVE,
        )
    found = f"{count} for quotas of {quotas.cpus:g} cores in {quotas.containers} containers"
    if count >= needed:
        return Finding(
            "CPUs",
            Level.OK,
            found,
            f"every quota can be used up at once, {GENERATOR_CPUS} cores stay for the generator; "
            "each agent container wants one more",
        )
    return Finding(
        "CPUs",
        Level.WARN,
        found,
        "containers compete before they reach their quotas, and the generator is measured too",
        f"for a sign-off use a host with {needed} CPUs or more",
        docker_max=Suitability.INDICATIVE,
    )


def memory(facts: HostFacts, quotas: Quotas) -> Finding:
    """Memory against the sum of the limits."""
    engine = facts.engine
    total = _smaller(facts.memory_bytes, engine, engine.memory_bytes if engine else None)
    limits = f"limits of {_gib(quotas.memory_bytes)}"
    # Memory that the engine lacks, or does not report, is still there for processes of the host.
    own = min(facts.memory_bytes or 0, facts.memory_available_bytes or 0)
    process_max = Suitability.NOTHING if own < MEMORY_RUN_MIN else Suitability.PROCESS
    if total is None or facts.memory_available_bytes is None:
        return Finding(
            "memory",
            Level.BAD,
            "not seen",
            f"Zone B has {limits}",
            "run where the memory can be read",
            docker_max=Suitability.NOTHING,
            process_max=process_max,
        )
    available = min(total, facts.memory_available_bytes)
    found = f"{_gib(total)}, of which {_gib(available)} to be had, for {limits}"
    if available < MEMORY_RUN_MIN:
        return Finding(
            "memory",
            Level.BAD,
            found,
            "not even the servers have room",
            f"free {_gib(MEMORY_RUN_MIN)} at least",
            docker_max=Suitability.NOTHING,
            process_max=process_max,
        )
    if available < quotas.memory_bytes:
        return Finding(
            "memory",
            Level.WARN,
            found,
            "containers that use up their limits together make the host run out of memory",
            f"for a sign-off have {_gib(quotas.memory_bytes)} free",
            docker_max=Suitability.INDICATIVE,
        )
    return Finding("memory", Level.OK, found, "every limit can be used up at once")


def _smaller(host: int | None, engine: EngineFacts | None, reported: int | None) -> int | None:
    """The smaller of what the host and its engine report; None if one of them does not."""
    if engine is None:
        return host
    return None if host is None or reported is None else min(host, reported)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
