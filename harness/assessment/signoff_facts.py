"""What ran, where and by which clocks, from the evidence of all runs of a sign-off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.analysis.clock_map import ClockMap, clock_maps, read_clock_samples
from harness.analysis.resources.self_monitoring import read_self_monitoring
from harness.assessment.signoff import ClockFacts, HostFacts, ImageFacts
from harness.errors import EvidenceError
from harness.evidence.run_folder import RunFolder
from harness.safe_open import RefusedError, iter_lines

_TEXT_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class SystemFacts:
    """Images, hosts and clocks, each once."""

    images: tuple[ImageFacts, ...]
    hosts: tuple[HostFacts, ...]
    clocks: tuple[ClockFacts, ...]


def run_folders(path: Path) -> list[RunFolder]:
    """Every run below a folder, in the order of the paths; links are not followed."""
    found = sorted(one.parent for one in path.rglob("plan.json"))
    return [RunFolder(one) for one in found if not one.is_symlink()]


def system_facts(runs: Sequence[RunFolder]) -> SystemFacts:
    """The facts of all runs together; what cannot be read is left out.

    Raises:
        RefusedError: evidence is none that a run writes.
    """
    images: dict[ImageFacts, None] = {}
    hosts = Counter[HostFacts]()
    clocks: dict[str, list[ClockFacts]] = {}
    for run in runs:
        stack, environment = _facts(run, run.stack), _facts(run, run.environment)
        images |= dict.fromkeys(_images(stack))
        hosts[_host(stack, environment)] += 1
        for clock in _clocks(run):
            clocks.setdefault(clock.server, []).append(clock)
    return SystemFacts(
        images=tuple(images),
        hosts=tuple(one.model_copy(update={"runs": count}) for one, count in hosts.items()),
        clocks=tuple(_worst(clocks[server]) for server in sorted(clocks)),
    )


def _facts(run: RunFolder, path: Path) -> Mapping[str, Any]:
    try:
        return run.read_json(path)
    except RefusedError:
        raise
    except EvidenceError:
        return {}


def _images(stack: Mapping[str, Any]) -> Iterable[ImageFacts]:
    images = stack.get("images")
    for service, facts in sorted(images.items()) if isinstance(images, dict) else ():
        if isinstance(facts, dict):
            digests = facts.get("repo_digests")
            yield ImageFacts(
                service=_text(service) or "",
                image=_text(facts.get("image")) or "",
                image_id=_text(facts.get("id")) or "",
                repo_digests=tuple(_text(one) or "" for one in digests)
                if isinstance(digests, list)
                else (),
            )


def _host(stack: Mapping[str, Any], environment: Mapping[str, Any]) -> HostFacts:
    found = environment.get("host")
    host: Mapping[str, Any] = found if isinstance(found, dict) else {}
    modified = environment.get("modified")
    return HostFacts(
        runs=0,
        stack=_text(stack.get("kind")) or "unknown",
        harness=_text(environment.get("harness")),
        commit=_text(environment.get("commit")),
        modified=modified if isinstance(modified, bool) else None,
        python=_text(environment.get("python")),
        kernel=_text(host.get("kernel")),
        cpu_model=_text(host.get("cpu_model")),
        cpus=_whole(host.get("cpus")),
        memory_bytes=_whole(host.get("memory_bytes")),
    )


def _clocks(run: RunFolder) -> Iterable[ClockFacts]:
    """The clock of each server in one run."""
    samples, _ = read_clock_samples(_lines(run.clock))
    host = _host_clock(run)
    for server, clock in clock_maps(samples).items():
        own = clock.facts
        yield ClockFacts(
            server=server,
            runs=1,
            # Both offsets are monotonic minus Unix time.
            ahead_ns=host.facts.offset_ns - own.offset_ns if host else None,
            error_ns=own.error_ns,
            steps=own.steps,
        )


def _host_clock(run: RunFolder) -> ClockMap | None:
    path = run.self_monitoring
    monitored = read_self_monitoring({path.name: _lines(path)}).samples
    try:
        return ClockMap([sample.probe for sample in monitored]) if monitored else None
    except OverflowError:  # no clock shows such a moment
        return None


def _lines(path: Path) -> list[str]:
    try:
        return list(iter_lines(path)) if path.exists() else []
    except RefusedError:
        raise
    except EvidenceError:
        return []


def _worst(clocks: Sequence[ClockFacts]) -> ClockFacts:
    """One server's clock over all runs."""
    offsets = [one.ahead_ns for one in clocks if one.ahead_ns is not None]
    return ClockFacts(
        server=clocks[0].server,
        runs=len(clocks),
        ahead_ns=max(offsets, key=abs, default=None),
        error_ns=max(one.error_ns for one in clocks),
        steps=sum(one.steps for one in clocks),
    )


def _text(value: object) -> str | None:
    return value[:_TEXT_CHARS_MAX] if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
