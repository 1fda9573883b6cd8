"""The doctor on this host, and Zone C's profiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.doctor import (
    Level,
    Suitability,
    check_profile,
    diagnose,
    probes,
    render,
    zone_b_quotas,
)
from harness.doctor.host_facts import DESKTOP, DOCKER, PODMAN
from harness.doctor.probes import has_capability, probe_disks, probe_engine, read_engine
from harness.doctor.report import Finding, host_report
from harness.doctor.zone_c_profile import (
    Machine,
    installed_memory,
    is_virtual,
    profile_findings,
    read_profile,
)
from harness.errors import StackError, UsageError

ROOT = Path(__file__).resolve().parents[3]
GIB = 1024**3
SIGNER = Machine(
    folder="/",
    cores=4,
    installed_bytes=8 * GIB,
    visible_bytes=int(7.5 * GIB),
    encrypted=True,
    disks=("nvme0n1",),
    virtual=False,
)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host without a container engine; the real client would leave a socket open."""

    def refuse(timeout_s: int) -> None:
        raise StackError("no container engine answers: refused", where="docker", hint="start it")

    monkeypatch.setattr(probes, "connect", refuse)


@pytest.mark.usefixtures("no_engine")
def test_this_host_without_docker() -> None:
    """Real probes: without an engine never more than processes, and every topic is reported."""
    report = diagnose(ROOT)
    assert report.use is not None
    assert report.use <= Suitability.PROCESS
    assert "Docker" in report.reasons
    topics = {finding.topic for finding in report.findings}
    assert {
        "Docker",
        "control groups",
        "swap accounting",
        "CPUs",
        "memory",
        "disk: reports",
        "disk: temporary files",
        "core_pattern",
        "open files",
        "clock source",
        "ports",
        "tc, iptables",
        "redis-server",
        "PostgreSQL",
        "Anvil",
    } <= topics


@pytest.mark.usefixtures("no_engine")
def test_an_engine_that_is_not_there() -> None:
    """The reason is one sentence."""
    problem = "docker: no container engine answers: refused"
    assert probe_engine() == (None, problem, "start it")


def test_what_an_engine_tells() -> None:
    """Fields of GET /info; an older engine leaves some out."""
    engine = read_engine({"ServerVersion": "20.10.24", "NCPU": 2, "CpuCfsQuota": True})
    assert (engine.version, engine.cpus, engine.cpu_quota) == ("20.10.24", 2, True)
    assert (engine.cgroup, engine.swap_limit) == (None, None)
    assert (engine.product, engine.rootless) == (None, None)


@pytest.mark.parametrize(
    ("info", "product", "rootless"),
    [
        ({"OperatingSystem": "Debian 12", "SecurityOptions": ["name=seccomp"]}, DOCKER, False),
        ({"OperatingSystem": "Debian 12", "SecurityOptions": ["name=rootless"]}, DOCKER, True),
        ({"OperatingSystem": "Docker Desktop", "SecurityOptions": []}, DESKTOP, False),
        ({"OperatingSystem": "fedora", "BuildahVersion": "1.33", "Rootless": True}, PODMAN, True),
    ],
)
def test_kinds_of_engines(info: dict[str, Any], product: str, rootless: bool) -> None:
    """By what each reports of itself."""
    engine = read_engine({"ServerVersion": "1", **info})
    assert (engine.product, engine.rootless) == (product, rootless)


def test_an_engine_folder_that_is_not_there_is_not_seen(tmp_path: Path) -> None:
    """Its parent may lie on another disk."""
    info = {"ServerVersion": "28", "DockerRootDir": str(tmp_path / "gone")}
    disk = probe_disks(read_engine(info))[-1]
    assert (disk.free_bytes, disk.devices) == (None, None)


def test_quotas_come_from_the_compose_file() -> None:
    """Zone B of the specification, Anvil included."""
    quotas = zone_b_quotas(ROOT)
    assert (quotas.cpus, quotas.containers) == (13.5, 8)
    assert quotas.memory_bytes == int(23.5 * GIB)
    assert (quotas.agent_cpus, quotas.agent_memory_bytes) == (1.0, 2 * GIB)


def test_capabilities() -> None:
    """Bit 12 is CAP_NET_ADMIN."""
    assert has_capability("Name:\tx\nCapEff:\t0000000000001000\n", 12) is True
    assert has_capability("CapEff:\t0000000000000fff\n", 12) is False
    assert has_capability(None, 12) is None


def test_unknown_profile() -> None:
    """The error lists those that there are."""
    with pytest.raises(UsageError, match="mpc-signer, whitelist-enforcement-proxy"):
        check_profile("signer", ROOT)


@pytest.mark.parametrize(
    "name", ["mpc-signer", "whitelist-enforcement-proxy", "admin-approval-api"]
)
def test_this_machine_against_each_profile(name: str) -> None:
    """Every profile can be read and judged here."""
    report = check_profile(name, ROOT)
    assert report.use is None
    assert {"cores", "memory", "bare metal"} <= {finding.topic for finding in report.findings}


@pytest.mark.parametrize(
    ("change", "topic", "level"),
    [
        ({}, "cores", Level.OK),
        ({"cores": 3}, "cores", Level.BAD),
        ({"cores": None}, "cores", Level.WARN),
        ({"installed_bytes": 7 * GIB}, "memory", Level.BAD),
        ({"installed_bytes": None}, "memory", Level.OK),
        ({"installed_bytes": None, "visible_bytes": 7 * GIB}, "memory", Level.BAD),
        ({"installed_bytes": None, "visible_bytes": None}, "memory", Level.WARN),
        ({"encrypted": False}, "encrypted storage", Level.BAD),
        ({"encrypted": None}, "encrypted storage", Level.WARN),
        ({"virtual": True}, "bare metal", Level.BAD),
        ({"virtual": None}, "bare metal", Level.WARN),
    ],
)
def test_a_signer(change: dict[str, Any], topic: str, level: Level) -> None:
    """Four physical cores, 8 GiB, dm-crypt, no hypervisor."""
    findings = profile_findings(read_profile("mpc-signer", ROOT), replace(SIGNER, **change))
    assert {finding.topic: finding.level for finding in findings}[topic] is level
    others = [finding for finding in findings if finding.topic != topic]
    assert all(finding.level is Level.OK for finding in others)


def test_encryption_is_asked_for_only_where_the_profile_does() -> None:
    """The proxy has no such row."""
    profile = read_profile("whitelist-enforcement-proxy", ROOT)
    topics = [finding.topic for finding in profile_findings(profile, SIGNER)]
    assert "encrypted storage" not in topics


def test_installed_memory(tmp_path: Path) -> None:
    """Blocks that are online, times their size."""
    (tmp_path / "block_size_bytes").write_text("8000000\n", encoding="ascii")
    for number, online in enumerate("110"):
        block = tmp_path / f"memory{number}"
        block.mkdir()
        (block / "online").write_text(f"{online}\n", encoding="ascii")
    assert installed_memory(tmp_path) == 2 * 0x8000000
    assert installed_memory(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("text", "virtual"),
    [("flags\t: fpu hypervisor sse\n", True), ("flags\t: fpu\n", False), ("Features: fp\n", None)],
)
def test_hypervisor(tmp_path: Path, text: str, virtual: bool | None) -> None:
    """A flag of the CPU; where there are no flags nothing is known."""
    path = tmp_path / "cpuinfo"
    path.write_text(text, encoding="ascii")
    assert is_virtual(path) is virtual


def test_render() -> None:
    """Brackets in a host's own text are no markup."""
    finding = Finding(
        "x[bold]", Level.BAD, "[red]", "means", "do", Suitability.NOTHING, Suitability.NOTHING
    )
    console = Console(width=100)
    with console.capture() as capture:
        console.print(render(host_report((finding,))))
    text = capture.get()
    for part in ("x[bold]", "[red]", "good for: nothing", "what stands in the way", "do"):
        assert part in text
