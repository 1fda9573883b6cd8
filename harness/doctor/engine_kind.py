"""Which kind of engine answers, and what cannot be proven with it; pure."""

from __future__ import annotations

from harness.doctor.host_facts import DESKTOP, DOCKER, PODMAN, HostFacts
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
    found = f"{engine.product or 'not told'}{rootless}"
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
            " are told by other events than Docker's, and no test of the harness runs on it"
        )
    else:
        means = "what it can do is not known"
    todo = "for a sign-off use Docker Engine as root (the system's dockerd)"
    return Finding(topic, Level.WARN, found, means, todo, docker_max=Suitability.INDICATIVE)


def no_engine_finding(topic: str) -> Finding:
    """The finding on what only an engine can tell, where none answered."""
    return Finding(
        topic,
        Level.WARN,
        f"not seen: {NO_ENGINE}",
        "quotas are the engine's work",
        "see Docker",
        docker_max=Suitability.NOTHING,
    )
