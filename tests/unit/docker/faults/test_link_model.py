"""Laws of a link, for any packets."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from harness.clock import NS_PER_MS, NS_PER_S
from harness.faults.docker.link_model import QUEUE_NS, LinkModel, LinkSettings

# From one packet to the next in ns, and its size in bytes.
PACKETS = st.lists(
    st.tuples(st.integers(0, 50 * NS_PER_MS), st.integers(20, 1_500)), min_size=1, max_size=60
)
LINES = st.builds(
    LinkSettings,
    delay_ns=st.integers(100, 200).map(lambda ms: ms * NS_PER_MS),
    jitter_ns=st.integers(0, 100).map(lambda ms: ms * NS_PER_MS),
    loss_share=st.sampled_from([0.0, 0.3]),
    bits_per_s=st.sampled_from([0, 64_000, 1_000_000]),
    seed=st.text(max_size=3),
)


def sent(packets: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """When each comes, and its size."""
    now_ns, found = 0, []
    for gap_ns, size_bytes in packets:
        now_ns += gap_ns
        found.append((now_ns, size_bytes))
    return found


def through(settings: LinkSettings, packets: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """When each that is not lost came in and went out, and its size."""
    line = LinkModel(settings)
    passed = [(now_ns, line.out_ns(now_ns, size), size) for now_ns, size in sent(packets)]
    return [(came_ns, out_ns, size) for came_ns, out_ns, size in passed if out_ns is not None]


@given(settings=LINES, packets=PACKETS)
def test_the_order_stays_and_nothing_is_early(
    settings: LinkSettings, packets: list[tuple[int, int]]
) -> None:
    """And the same seed does the same."""
    found = through(settings, packets)
    assert found == through(settings, packets)
    out = [out_ns for _, out_ns, _ in found]
    assert out == sorted(out)
    for came_ns, out_ns, _ in found:
        assert out_ns - came_ns >= settings.delay_ns - settings.jitter_ns


@given(packets=PACKETS, delay_ms=st.integers(1, 500))
def test_without_jitter_all_are_as_late(packets: list[tuple[int, int]], delay_ms: int) -> None:
    """To the nanosecond."""
    settings = LinkSettings(delay_ns=delay_ms * NS_PER_MS)
    late = {out_ns - came_ns for came_ns, out_ns, _ in through(settings, packets)}
    assert late == {settings.delay_ns}


@given(packets=PACKETS, bits_per_s=st.integers(64_000, 5_000_000))
def test_a_narrow_line_is_no_faster_and_holds_little(
    packets: list[tuple[int, int]], bits_per_s: int
) -> None:
    """Between any two packets not more passes than it is wide, and none waits too long."""
    found = through(LinkSettings(bits_per_s=bits_per_s), packets)
    for (_, before_ns, _), (came_ns, out_ns, size) in itertools.pairwise(found):
        own_ns = size * 8 * NS_PER_S // bits_per_s
        assert out_ns - before_ns >= own_ns
        assert out_ns - came_ns <= QUEUE_NS + own_ns


def test_losses_come_to_their_share() -> None:
    """Of many."""
    line = LinkModel(LinkSettings(loss_share=0.2, seed="1"))
    lost = sum(line.out_ns(now_ns, 100) is None for now_ns in range(10_000))
    assert 1_800 < lost < 2_200


def test_no_settings_do_nothing() -> None:
    """A line as it was before."""
    line = LinkModel(LinkSettings())
    for now_ns in (5, 5, 6, 1_000):
        assert line.out_ns(now_ns, 1_500) == now_ns
