from __future__ import annotations

from pathlib import Path

import pytest

from harness.clock import NS_PER_MS
from harness.contract import trace_id
from harness.contract.names import Contract, State
from harness.evidence.records import SIGHTING, read_records
from harness.observe.catch_up import ObservedVersions
from harness.observe.decoder import RowVersion
from harness.observe.observations import FLUSH_EVERY_NS, ObservationsFile

TAG = 0xABCDEF012345


def version(agent: int, index: int, status: str, tag: int = TAG) -> RowVersion:
    """A row version of a run."""
    return RowVersion(*trace_id.pack(tag, agent, index), status, 1_000_000, 77, 2**32 - 1)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Every field of a sighting survives the file, and the rest is counted apart."""
    file = ObservationsFile(tmp_path / "s", Contract(), TAG)
    file.add(
        [
            version(3, 4, "INIT"),
            version(3, 4, "SIMULATED"),
            version(5, 6, "STALE_DATA_ERROR"),
            version(5, 6, "SIGNED"),
            version(1, 1, "SIMULATED", tag=TAG + 1),
        ],
        -5,
    )
    file.close()
    records, torn = read_records(tmp_path / "s", SIGHTING)
    assert torn == 0
    high, low = trace_id.pack(TAG, 3, 4)
    assert records[1].item()[:7] == (high, low, 1_000_000, -5, 77, 2**32 - 1, State.SIMULATED)
    assert records["state"].tolist() == [1, 2, 16]
    assert (file.seen, file.final, file.foreign, file.other) == (3, 2, 1, 1)


def test_a_later_state_is_a_sighting_of_simulated(tmp_path: Path) -> None:
    """Only the log shows when it became so; statuses without a name are counted, some of them."""
    contract = Contract(states={"FILLED": State.SIMULATED, "DONE": State.BEYOND})
    file = ObservationsFile(tmp_path / "s", contract, TAG)
    polled = version(2, 2, "DONE")._replace(lsn=0)
    file.add([version(1, 1, "DONE"), polled, *(version(3, n, f"X{n % 40}") for n in range(80))], 5)
    file.close()
    records, _ = read_records(tmp_path / "s", SIGHTING)
    assert records["state"].tolist() == [State.SIMULATED] * 2
    assert records["commit_us"].tolist() == [1_000_000, 0]
    assert (file.final, file.other, len(file.unmapped_statuses)) == (2, 80, 20)
    assert file.unmapped_statuses["X1"] == 2
    for commit_times in (True, False):
        known = ObservedVersions(tmp_path / "s", contract, commit_times=commit_times)
        assert known.has(polled)
        assert not known.has(version(4, 4, "DONE"))


@pytest.mark.parametrize("commit_times", [True, False])
def test_known_versions_are_recognized(tmp_path: Path, commit_times: bool) -> None:
    """By the time of the commit where there is one, else by the state; never by the xid."""
    file = ObservationsFile(tmp_path / "s", Contract(), TAG)
    file.add([version(3, 4, "SIMULATED")], 1)
    file.close()
    known = ObservedVersions(tmp_path / "s", Contract(), commit_times=commit_times)
    assert known.has(version(3, 4, "SIMULATED")._replace(xid=1))
    assert not known.has(version(3, 5, "SIMULATED"))
    again = version(3, 4, "SIMULATED")._replace(commit_us=2_000_000)
    assert known.has(again) is not commit_times
    assert not known.has(version(3, 4, "INIT")._replace(commit_us=900_000))


def test_batches_reach_the_file_in_time(tmp_path: Path) -> None:
    """A batch is written when it is due, not at each sighting, and at the latest then."""
    file = ObservationsFile(tmp_path / "s", Contract(), TAG)
    file.flush_when_due(0)
    file.add([version(1, 1, "INIT")], 1)
    file.flush_when_due(FLUSH_EVERY_NS - 1)
    assert (tmp_path / "s").stat().st_size == 0
    file.flush_when_due(FLUSH_EVERY_NS)
    assert (tmp_path / "s").stat().st_size == SIGHTING.itemsize
    assert FLUSH_EVERY_NS <= 50 * NS_PER_MS
    file.close()
