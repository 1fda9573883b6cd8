"""`python -m tests.studies.mutants [MODULE ...] [--sample N] [--seed S] [--jobs J]`.

Do the tests notice a defect in the code?

Changes one operator, constant or condition of a module at a time and runs the unit tests that
concern the module. A mutant that no test notices survives. Each runs in a process forked from this
one, with the changed module in memory only: no file is written. Hypothesis draws the same examples
every time. Mutants that change no result are listed with their reason in `equivalent.toml`.

Prints a table, and each survivor; 1 where a module has less than 90 % of its mutants killed.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import resource
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType

import pytest
from hypothesis import Phase, settings

from tests.studies.mutants.mutate import Mutant, mutants_of, mutated

ROOT = Path(__file__).resolve().parents[3]
SHARE_MIN = 0.9
# A mutant may loop without end or allocate without bound; either counts as noticed.
CPU_S_MAX = 30
MEMORY_MAX = 6 << 30
_PROFILE = ("--hypothesis-profile=mutants",)
# Imported once, before the forks; nothing of the harness, which must see the changed module.
_WARM = ("scipy.special", "scipy.stats", "pydantic", "google.protobuf.message", "hdrh.histogram")
# A module, and the tests below tests/unit that concern it.
TESTS = {
    "analysis/statistics": ["analysis/test_calibration.py", "analysis/test_statistics.py"],
    "analysis/matching": ["analysis/test_matcher.py", "analysis/test_matching.py"],
    "analysis/histogram": ["analysis/test_histogram.py"],
    "analysis/integrity/stream_trimming": ["analysis/test_stream_trimming.py"],
    "judge/decision": [
        "judge/test_decision.py",
        "judge/test_share_decisions.py",
        "judge/test_verdict.py",
        "judge/test_objectives.py",
    ],
    "judge/shares": [
        "judge/test_shares.py",
        "judge/test_share_decisions.py",
        "judge/test_objectives.py",
        "judge/test_modes.py",
    ],
    "judge/objectives": [
        "judge/test_slos.py",
        "judge/test_host_attribution.py",
        "judge/test_host_interference.py",
        "judge/test_objectives.py",
        "judge/test_modes.py",
        "judge/test_judgement.py",
        "judge/test_censoring.py",
        "judge/test_outside_faults.py",
        "judge/test_default_objectives.py",
    ],
    "judge/integrity": [
        "judge/test_effects.py",
        "judge/test_integrity.py",
        "judge/test_unattributed.py",
        "judge/test_default_objectives.py",
        "judge/test_stale_choice.py",
    ],
    "schedule/pacing": ["load/test_pacing.py"],
}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the mutants of one module."""

    module: str
    killed: int
    survived: tuple[Mutant, ...]
    equivalent: tuple[Mutant, ...]

    @property
    def share(self) -> float:
        """Killed, of those that change anything."""
        return self.killed / max(1, self.killed + len(self.survived))


class _Loader(SourceFileLoader):
    """Loads a module with one change."""

    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        super().__init__(name, path)
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = compile(self._tree, self.get_filename(fullname), "exec")
        return code


@dataclass(frozen=True)
class _Finder:
    """Finds one module before anybody else does."""

    name: str
    path: str
    tree: ast.Module

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """What the import system asks for."""
        if name != self.name:
            return None
        loader = _Loader(name, self.path, self.tree)
        return spec_from_file_location(name, self.path, loader=loader)


def start(module: str, mutant: Mutant | None) -> int:
    """Run a module's tests in a child process, with a mutant if there is one; its pid."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        code = _child(module, mutant)
    finally:
        os._exit(code)


def _child(module: str, mutant: Mutant | None) -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    if mutant is not None:
        path = ROOT / "harness" / f"{module}.py"
        name = f"harness.{module.replace('/', '.')}"
        finder = _Finder(name, str(path), mutated(path, mutant))
        sys.meta_path.insert(0, finder)
        # Without a mutant the tests must pass, and may say why they do not.
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
    settings.register_profile(
        "mutants",
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
    )
    tests = [str(ROOT / "tests" / "unit" / test) for test in TESTS[module]]
    options = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", *_PROFILE]
    return int(pytest.main([*options, *(test for test in tests if Path(test).exists())]))


def survivors(module: str, chosen: Sequence[Mutant], jobs: int) -> list[Mutant]:
    """Mutants that no test noticed."""
    waiting, running, found = list(chosen), dict[int, Mutant](), []
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop(0)
            running[start(module, mutant)] = mutant
        pid, status = os.wait()
        mutant = running.pop(pid)
        if status == 0:
            found.append(mutant)
            where = f"harness/{module}.py:{mutant.line}"
            print(f"  survived: {where}: {mutant.change}: {mutant.text}", flush=True)
    return sorted(found, key=lambda mutant: mutant.line)


def equivalents() -> set[tuple[str, str, str]]:
    """Module, source line and change of mutants that change no result."""
    text = (Path(__file__).parent / "equivalent.toml").read_text(encoding="utf-8")
    return {
        (entry["module"], entry["line"], change)
        for entry in tomllib.loads(text).get("equivalent", [])
        for change in entry["changes"]
    }


def study(module: str, sample: int | None, seed: int, jobs: int) -> Result:
    """Run the mutants of a module, or a sample of them."""
    if os.waitpid(start(module, None), 0)[1] != 0:
        raise SystemExit(f"the tests of {module} fail without any mutant")
    every = mutants_of(ROOT / "harness" / f"{module}.py")
    if sample is not None and sample < len(every):
        every = random.Random(f"{module} {seed}").sample(every, sample)  # noqa: S311 - no secret
    known = equivalents()
    equivalent = [one for one in every if (module, one.text, one.change) in known]
    chosen = [one for one in every if one not in equivalent]
    survived = survivors(module, chosen, jobs)
    return Result(module, len(chosen) - len(survived), tuple(survived), tuple(equivalent))


def main(arguments: list[str]) -> int:
    """Study the modules asked for; 1 where too many mutants survive."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", choices=[[], *TESTS], metavar="MODULE")
    parser.add_argument("--sample", type=int, help="how many mutants of each module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args(arguments)
    for name in _WARM:
        import_module(name)
    results = []
    for module in asked.modules or TESTS:
        began = time.monotonic()
        found = study(module, asked.sample, asked.seed, asked.jobs)
        results.append(found)
        took_s = time.monotonic() - began
        total = found.killed + len(found.survived)
        print(f"{module}: {found.killed} of {total} killed in {took_s:.0f} s", flush=True)
    print("\n| module | mutants | equivalent | killed | survived | killed of the rest |")
    print("|---|---|---|---|---|---|")
    for one in results:
        total = one.killed + len(one.survived) + len(one.equivalent)
        cells = (one.module, total, len(one.equivalent), one.killed, len(one.survived))
        print("|", " | ".join(str(cell) for cell in cells), f"| {one.share:.1%} |")
    return 0 if all(one.share >= SHARE_MIN for one in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
