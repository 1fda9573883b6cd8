"""The engine with a known capacity: its queue, and the order in which signals leave it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stack.settings import StackSettings
from tests.studies.capacity.systems import mm1, token_bucket
from zone_b.known_capacity import ServedSource, Servers
from zone_b.settings import Settings, SettingsError, read_settings
from zone_b.source import Entry
from zone_b.worker_parts import parts_of

S = 1_000_000_000
T0_MS = 1_700_000_000_000
URL = {"DEFI_REDIS_URL": "redis://127.0.0.1:1/0"}


class Queue(ServedSource):
    """A source whose stream is a list, in virtual time."""

    def __init__(self, settings: Settings, entries: list[Entry]) -> None:
        self.now_ns = T0_MS * 1_000_000
        self.entries = entries
        self.read_blocks: list[int | None] = []
        super().__init__(
            settings,
            None,  # type: ignore[arg-type]  # no server is asked
            "stream",
            "engine-0",
            clock_ns=lambda: self.now_ns,
            sleep=self._pass,
        )

    def _pass(self, seconds: float) -> None:
        self.now_ns += max(1_000_000, round(seconds * S))

    def _read(self, after: str | bytes, count: int, block_ms: int | None) -> list[Entry]:
        assert after == ">"
        self.read_blocks.append(block_ms)
        there = [one for one in self.entries[:count] if at_ns(one) <= self.now_ns]
        if not there:
            next_ns = at_ns(self.entries[0]) if self.entries else self.now_ns + S
            self._pass(min((block_ms or 0) / 1000, (next_ns - self.now_ns) / S))
            return []
        self.entries = self.entries[len(there) :]
        return there


def at_ns(entry: Entry) -> int:
    """When an entry was added."""
    return int(entry.entry_id.partition(b"-")[0]) * 1_000_000


def entries_at(times_ms: list[int]) -> list[Entry]:
    """Entries that no decoder can read, so that they have no address."""
    return [
        Entry(f"{T0_MS + time_ms}-{number}".encode(), []) for number, time_ms in enumerate(times_ms)
    ]


def leaving_ms(queue: Queue, number: int) -> dict[bytes, float]:
    """When each entry left, in ms after the start."""
    left: dict[bytes, float] = {}
    for _ in range(100_000):
        if len(left) == number:
            return left
        for entry in queue.read(64, 500):
            left[entry.entry_id] = queue.now_ns / 1e6 - T0_MS
    raise AssertionError("entries stay in the queue")


def service(kind: str, rate: float, servers: int = 1) -> Settings:
    """Settings of an engine with a known capacity."""
    return Settings("", service=kind, service_rate=rate, service_servers=servers, workers=1)


@settings(max_examples=30)
@given(gaps=st.lists(st.integers(0, 60), min_size=1, max_size=80), rate=st.integers(20, 500))
def test_a_token_bucket_serves_one_after_the_other(gaps: list[int], rate: int) -> None:
    """Each leaves when its service ends, within the 1 ms of this clock, in the order of arrival."""
    times_ms = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    entries = entries_at(times_ms)
    left = leaving_ms(Queue(service("token_bucket", rate), list(entries)), len(entries))
    free = 0.0
    for entry, arrival_ms in zip(entries, times_ms, strict=True):
        free = max(free, arrival_ms) + 1000 / rate
        assert free - 0.1 <= left[entry.entry_id] <= free + 2.5
    assert list(left) == [entry.entry_id for entry in entries]


@pytest.mark.parametrize("servers", [2, 4])
def test_signals_of_one_address_keep_their_order(servers: int) -> None:
    """A shorter service waits for a longer one before it, and both end at once."""
    entries = entries_at([1_000 * (number // 2) for number in range(40)])
    left = leaving_ms(Queue(service("mmc", 100, servers), list(entries)), len(entries))
    assert list(left) == [entry.entry_id for entry in entries]


def test_what_no_server_is_free_for_stays_in_the_stream() -> None:
    """An overloaded engine holds what it can serve in 0.4 s, and the backlog is in Redis."""
    queue = Queue(service("token_bucket", 100), entries_at([0] * 500))
    for _ in range(20):
        queue.read(64, 500)
    assert len(queue.entries) >= 450
    assert None in queue.read_blocks or min(block or 1 for block in queue.read_blocks) > 0


@pytest.mark.parametrize("servers", [1, 4])
def test_service_times_have_the_stated_rate(servers: int) -> None:
    """Saturated servers do so many signals a second."""
    queue = Servers("mmc", 200, servers, 0)
    ends = [queue.serve(0) for _ in range(20_000)]
    assert max(ends) / S == pytest.approx(100, rel=0.03)


def test_the_queue_has_the_capacity_of_the_formula() -> None:
    """P99 at the capacity is the limit: M/D/1 within a few percent in 400 s of load."""
    system = token_bucket(200)
    rng = np.random.default_rng(3)
    arrivals = np.sort(rng.uniform(0, 400, rng.poisson(system.capacity * 0.97 * 400)))
    queue = Servers("token_bucket", 200, 1, 0)
    served = np.array([queue.serve(int(time * S)) / S for time in arrivals]) - arrivals
    assert served == pytest.approx(system.latencies(rng, arrivals), abs=1e-6)


def test_capacities_by_formula() -> None:
    """M/M/1 by hand, and the token bucket waits half as long near its limit."""
    assert mm1(300).capacity == pytest.approx(300 - math.log(100) / 0.5)
    assert 300 - token_bucket(300).capacity == pytest.approx((300 - mm1(300).capacity) / 2, rel=0.1)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"DEFI_SERVICE": "mm1"}, "DEFI_SERVICE must be token_bucket or mmc"),
        ({"DEFI_SERVICE": "mmc", "DEFI_WORKERS": "2"}, "DEFI_SERVICE needs DEFI_WORKERS=1"),
        ({"DEFI_SERVICE": "mmc", "DEFI_DEFECTS": "stuck_row"}, "exclude each other"),
        ({"DEFI_SERVICE": "mmc", "DEFI_SERVICE_RATE": "0"}, "DEFI_SERVICE_RATE must lie above 0"),
    ],
)
def test_a_service_that_cannot_be_is_refused(env: dict[str, str], message: str) -> None:
    """The message names the variable."""
    with pytest.raises(SettingsError, match=message):
        read_settings({**URL, "DEFI_WORKERS": "1", **env})


def test_the_service_of_a_scenario_reaches_the_engine() -> None:
    """As its variables, and the engine takes its parts from them."""
    env = dict(StackSettings(service=(("DEFI_SERVICE", "mmc"),)).service)
    found = read_settings({**URL, "DEFI_WORKERS": "1", "DEFI_SERVICE_RATE": "300", **env})
    assert (found.service, found.service_rate, found.service_servers) == ("mmc", 300, 1)
    source = parts_of(found).source(None, "stream", "engine-0")  # type: ignore[arg-type]
    assert isinstance(source, ServedSource)
