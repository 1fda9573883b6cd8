"""What the probes of links accept as a fault, on simulated links."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from harness.clock import NS_PER_MS, NS_PER_S
from harness.errors import StackError
from harness.faults.docker.icmp_probe import PingResult, PingTrain
from harness.faults.docker.link_model import LinkModel, LinkSettings
from harness.faults.docker.link_path import CONNECTED
from harness.faults.instance import Probe
from harness.faults.kinds.link_quality import Bandwidth, Delay, ImpairedLink, Loss, probe_of

DELAY = Delay(kind="delay", target="a", peer="b", at_s=(0,), for_s=2, delay_ms=20, jitter_ms=10)
LOSS = Loss(kind="loss", target="a", peer="b", at_s=(0,), for_s=2, loss_share=0.1)
BANDWIDTH = Bandwidth(kind="bandwidth", target="a", peer="b", at_s=(0,), for_s=2, kbit_s=1_000)
FAULTS: tuple[ImpairedLink, ...] = (DELAY, LOSS, BANDWIDTH)
FREE = LinkSettings()
PLAIN_NS = 200_000


@dataclass
class Link:
    """Two directions as a test sets them; each train begins on an empty line."""

    there: LinkSettings = FREE
    back: LinkSettings = FREE
    noise_ns: int = 0
    answers: bool = True
    connects: str = CONNECTED

    def ping(self, train: PingTrain) -> PingResult:
        there, back = LinkModel(self.there), LinkModel(self.back)
        times = []
        for number in range(train.count):
            # A sender is not quicker than this, however narrow the gap.
            sent_ns = NS_PER_S + number * max(train.gap_us * 1_000, 10_000)
            out_ns = there.out_ns(sent_ns, train.size_bytes)
            back_ns = None if out_ns is None else back.out_ns(out_ns, train.size_bytes)
            if back_ns is not None and self.answers:
                late_ns = self.noise_ns if number % 4 else 0
                times.append((sent_ns, back_ns + PLAIN_NS + late_ns))
        return PingResult(train, tuple(sorted(times, key=lambda pair: pair[1])))

    def connect(self) -> str:
        return self.connects

    def spoil(self, fault: ImpairedLink, share: float = 1.0) -> None:
        """Do as a fault asks, or only a part of it."""
        line = fault.settings
        line = LinkSettings(
            delay_ns=round(line.delay_ns * share),
            jitter_ns=round(line.jitter_ns * share),
            loss_share=line.loss_share * share,
            bits_per_s=round(line.bits_per_s / share),
            seed="1",
        )
        self.there = line if fault.direction in ("both", "to_peer") else FREE
        self.back = line if fault.direction in ("both", "from_peer") else FREE


def probe_on(link: Link, fault: ImpairedLink) -> Probe:
    """What proves a fault of it."""
    found = probe_of(fault, link.ping, link.connect)
    assert found is not None
    return found


@pytest.mark.parametrize("direction", ["both", "to_peer", "from_peer"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_what_was_asked_for_is_seen_and_so_is_its_end(fault: ImpairedLink, direction: str) -> None:
    """In whichever direction."""
    fault = fault.model_copy(update={"direction": direction})
    link = Link()
    probe = probe_on(link, fault)
    probe.before()
    assert probe.holds() == ""
    link.spoil(fault)
    assert probe.holds()
    assert probe.ended() == ""
    link.there = link.back = FREE
    assert probe.holds() == ""
    assert "the service takes a connection" in probe.ended()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_a_third_of_it_is_neither_the_fault_nor_its_end(fault: ImpairedLink) -> None:
    """Between the two limits nothing is claimed."""
    link = Link()
    probe = probe_on(link, fault)
    probe.before()
    link.spoil(fault, 0.33 if fault is not BANDWIDTH else 1 / 1.6)
    assert probe.holds() == ""
    assert probe.ended() == ""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_a_link_that_is_cut_is_not_one_that_is_slow(fault: ImpairedLink) -> None:
    """Nothing comes back: that is another fault, and no end of this one."""
    link = Link()
    probe = probe_on(link, fault)
    probe.before()
    link.answers = False
    assert probe.holds() == ""
    assert probe.ended() == ""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_it_is_not_over_while_the_service_takes_no_connection(fault: ImpairedLink) -> None:
    """Echo requests are answered by the kernel."""
    link = Link(connects="Connection refused")
    probe = probe_on(link, fault)
    probe.before()
    assert probe.ended() == ""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
def test_a_link_that_was_cut_before_proves_nothing(fault: ImpairedLink) -> None:
    """It is reported, and nothing is injected."""
    with pytest.raises(StackError, match="before the fault"):
        probe_on(Link(answers=False), fault).before()


@pytest.mark.parametrize("fault", [LOSS, BANDWIDTH], ids=lambda fault: fault.kind)
def test_a_link_that_was_spoiled_before_proves_nothing(fault: ImpairedLink) -> None:
    """As much as was asked for was there already."""
    link = Link()
    link.spoil(fault)
    with pytest.raises(StackError, match="before the fault"):
        probe_on(link, fault).before()


def test_a_busy_host_is_no_delay() -> None:
    """Which makes some round trips long, but never all of them."""
    fault = DELAY.model_copy(update={"jitter_ms": 0.0})
    link = Link()
    probe = probe_on(link, fault)
    probe.before()
    link.noise_ns = 200 * NS_PER_MS
    assert probe.holds() == ""
