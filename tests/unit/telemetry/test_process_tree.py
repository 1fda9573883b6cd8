"""Adding up a service's processes, from a process table of our own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.telemetry.process_tree import ProcessTree

PAGE = os.sysconf("SC_PAGE_SIZE")


class Table:
    """A process table."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(
        self,
        pid: int,
        *,
        cpu: int = 0,
        wait: int = 0,
        faults: int = 0,
        written: int = 0,
        children: str = "",
        threads: dict[int, int] | None = None,
    ) -> None:
        """A process as it is now; threads by their computing."""
        folder = self.root / str(pid)
        all_threads = threads or {pid: cpu}
        folder.mkdir(exist_ok=True)
        fields = ["S", "1", "1", "1", "0", "-1", "0", str(faults), "0", "2", "0", *["0"] * 6]
        fields += [str(len(all_threads)), *["0"] * 20]
        self._write(folder / "stat", f"{pid} (a (b) c) {' '.join(fields)}\n")
        self._write(folder / "statm", "100 30 10 0 0 0 0\n")
        self._write(folder / "io", f"rchar: 1\nread_bytes: 3\nwrite_bytes: {written}\n")
        for thread, ns in all_threads.items():
            (folder / "task" / str(thread)).mkdir(parents=True, exist_ok=True)
            self._write(folder / "task" / str(thread) / "schedstat", f"{ns} {wait} 9\n")
            self._write(folder / "task" / str(thread) / "children", children)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        # In place, since the files stay open.
        path.write_text(text.ljust(200), encoding="ascii")

    def end(self, pid: int) -> None:
        """A process that is gone: nothing of it can be read."""
        for path in sorted((self.root / str(pid)).rglob("*"), reverse=True):
            if path.is_file():
                path.write_text("")
                path.unlink()
            else:
                path.rmdir()
        (self.root / str(pid)).rmdir()


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """An empty one."""
    return Table(tmp_path)


def test_what_was_before_is_not_counted(table: Table) -> None:
    """The first sample is the origin; then all members add up."""
    table.put(1, cpu=1_000, wait=50, faults=7, children="2 ")
    table.put(2, cpu=9_000)
    tree = ProcessTree(1, str(table.root))
    assert tree.sample() == 2
    assert (tree.totals.cpu_ns, tree.totals.faults_minor, tree.totals.busiest_ns) == (0, 0, 0)
    assert tree.totals.memory_bytes == (20 + 20 + 10) * PAGE
    assert tree.totals.private_bytes == (20 + 20) * PAGE
    table.put(1, cpu=1_010, wait=55, faults=8, written=5, children="2 ")
    table.put(2, cpu=9_100)
    tree.sample()
    totals = tree.totals
    assert (totals.cpu_ns, totals.wait_ns, totals.busiest_ns) == (110, 5, 100)
    assert (totals.faults_minor, totals.faults_major) == (1, 0)
    assert (totals.read_bytes, totals.written_bytes) == (0, 5)


def test_newcomers_count_from_their_start(table: Table) -> None:
    """All that a new child used counts; a member that ends subtracts nothing."""
    table.put(1)
    tree = ProcessTree(1, str(table.root))
    tree.sample()
    table.put(1, children="2 ")
    table.put(2, cpu=500, faults=3)
    tree.sample()
    assert (tree.totals.cpu_ns, tree.totals.faults_minor) == (500, 3)
    table.put(1, cpu=1)
    table.end(2)
    assert tree.sample() == 1
    assert (tree.totals.cpu_ns, tree.totals.faults_minor) == (501, 3)


def test_a_restart_goes_on_counting(table: Table) -> None:
    """Totals only grow, whoever the service's process is."""
    table.put(1, cpu=1_000)
    tree = ProcessTree(1, str(table.root))
    tree.sample()
    table.put(1, cpu=1_400)
    tree.sample()
    table.end(1)
    assert tree.sample() == 0
    assert tree.totals.cpu_ns == 400
    table.put(5, cpu=30)
    tree.follow(5)
    assert tree.sample() == 1
    assert tree.totals.cpu_ns == 430


def test_the_busiest_thread_is_found(table: Table) -> None:
    """Each thread by itself, those that came since included."""
    table.put(1, threads={1: 100, 11: 100})
    tree = ProcessTree(1, str(table.root))
    tree.sample()
    table.put(1, threads={1: 150, 11: 120, 12: 70})
    tree.sample()
    assert (tree.totals.cpu_ns, tree.totals.busiest_ns) == (140, 70)


def test_a_process_that_never_was(table: Table) -> None:
    """Nothing is found, and nothing breaks."""
    assert ProcessTree(9, str(table.root)).sample() == 0
