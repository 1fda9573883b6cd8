"""What a host can do: probes read facts, rules judge them, the conclusion claims no more."""

from __future__ import annotations

from pathlib import Path

from harness.doctor.engine_rules import engine_findings
from harness.doctor.host_facts import Quotas
from harness.doctor.host_rules import host_findings
from harness.doctor.probes import probe
from harness.doctor.program_rules import program_findings
from harness.doctor.report import (
    Finding,
    Level,
    Report,
    Suitability,
    host_report,
    profile_report,
    render,
)
from harness.doctor.signoff_requirements import signoff_requirements
from harness.doctor.zone_c_profile import probe_machine, profile_findings, read_profile
from harness.stack.compose_file import read_compose
from harness.stack.docker.settings import AGENT

__all__ = [
    "Finding",
    "Level",
    "Report",
    "Suitability",
    "check_profile",
    "diagnose",
    "render",
    "zone_b_quotas",
]

# The file does not render without them; no quota depends on them.
_VARIABLES = {"REDIS_PASSWORD": "-", "POSTGRES_PASSWORD": "-"}


def diagnose(root: Path) -> Report:
    """What this host is good for.

    Args:
        root: folder that holds `compose/`.

    Raises:
        UsageError: the Compose file cannot be read.
    """
    quotas = zone_b_quotas(root)
    facts = probe(root)
    findings = (
        *engine_findings(facts, quotas),
        *host_findings(facts),
        *program_findings(facts),
    )
    return host_report(findings, signoff_requirements(facts, quotas, findings))


def check_profile(name: str, root: Path, data: Path = Path("/")) -> Report:
    """This host against a profile of Zone C.

    Args:
        name: profile in `compose/zone-c.toml`.
        root: folder that holds `compose/`.
        data: folder whose storage is checked.

    Raises:
        UsageError: there is no such profile.
    """
    profile = read_profile(name, root)
    findings = profile_findings(profile, probe_machine(data))
    return profile_report(name, profile.about, findings)


def zone_b_quotas(root: Path) -> Quotas:
    """The sum of Zone B's quotas, Anvil's included, since a gate runs with all others.

    Raises:
        UsageError: the Compose file cannot be read.
    """
    services = read_compose(root / "compose" / "zone-b.yaml", _VARIABLES).services
    agent = read_compose(root / "compose" / "zone-a.yaml", _VARIABLES).service(AGENT)
    return Quotas(
        cpus=sum(service.cpus for service in services),
        memory_bytes=sum(service.memory_bytes for service in services),
        containers=len(services),
        agent_cpus=agent.cpus,
        agent_memory_bytes=agent.memory_bytes,
    )
