"""Seeing from inside a container that the way to another one is slow, lossy or narrow.

Echo requests are asked of the peer's kernel, so that its service may be as busy as it likes; that
it works again is seen by a connection to its own port.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.clock import NS_PER_MS
from harness.errors import StackError
from harness.faults.docker.icmp_probe import PingResult, PingTrain
from harness.faults.docker.link_path import CONNECTED
from harness.faults.instance import Probe
from harness.scenario.link_faults import Bandwidth, Delay, LinkFault, Loss

# Half of what was asked for shows that it is in force, a quarter that it is over.
HOLDS_SHARE, OVER_SHARE = 0.5, 0.25
# A narrow link is no faster than this times what was asked for; one that is over is.
NARROW, WIDE = 1.25, 2.0

_TRIPS = 9
_TRIP_GAP_US = 10_000
_LOSS_GAP_US = 1_000
# Of which so many are to be lost, if it can be had within a second.
_LOST_WANTED = 20
_LOSS_COUNT = (100, 1_000)
# A train takes this long on a link as narrow as asked for, in packets of about this size.
_TRAIN_S = 0.1
_TRAIN_COUNT = (8, 100)
_TRAIN_BYTES = (200, 1_400)
_TRAIN_PATIENCE_MS = 1_500
_BITS_PER_BYTE = 8
_BITS_PER_KBIT = 1_000

Ping = Callable[[PingTrain], PingResult]
Connect = Callable[[], str]


@dataclass
class DelayProbe:
    """By the time of round trips, against that before.

    Attributes:
        look: sends echo requests.
        connect: connects to the peer's service.
        fault: what is to be seen.
    """

    ping: Ping
    connect: Connect
    fault: Delay
    _before_ns: tuple[int, int] = field(default=(0, 0), init=False)

    def before(self) -> None:
        trips = self._trips()
        if trips is None:
            raise StackError("no echo before the fault", where="delay")
        self._before_ns = trips

    def holds(self) -> str:
        trips = self._trips()
        if trips is None:
            return ""
        # The quickest too: a busy host makes some round trips long, and never all of them.
        least_ms = self.fault.delay_ms - self.fault.jitter_ms
        for before_ns, now_ns, asked_ms in zip(
            self._before_ns, trips, (least_ms, self.fault.delay_ms), strict=True
        ):
            if now_ns - before_ns < HOLDS_SHARE * self._trip_ns(asked_ms):
                return ""
        return (
            f"an echo takes {trips[1] / NS_PER_MS:.1f} ms (median),"
            f" {self._before_ns[1] / NS_PER_MS:.1f} before"
        )

    def ended(self) -> str:
        trips = self._trips()
        if trips is None:
            return ""
        if trips[1] - self._before_ns[1] >= OVER_SHARE * self._trip_ns(self.fault.delay_ms):
            return ""
        return _connected(f"an echo takes {trips[1] / NS_PER_MS:.1f} ms", self.connect)

    def _trips(self) -> tuple[int, int] | None:
        """The quickest and the median; None where none came back."""
        patience_ms = math.ceil(2 * (self.fault.delay_ms + self.fault.jitter_ms)) + 300
        found = self.ping(PingTrain(_TRIPS, _TRIP_GAP_US, patience_ms=patience_ms)).round_trips_ns
        return (found[0], round(statistics.median(found))) if found else None

    def _trip_ns(self, one_way_ms: float) -> float:
        return one_way_ms * NS_PER_MS * self.fault.directions


@dataclass
class LossProbe:
    """By the share of echo requests that nobody answers; attributes as of `DelayProbe`."""

    ping: Ping
    connect: Connect
    fault: Loss

    def before(self) -> None:
        if (share := self._share()) > OVER_SHARE * self.expected:
            raise StackError(f"loses {share:.1%} of echoes before the fault", where="loss")

    def holds(self) -> str:
        share = self._share()
        # Nothing at all coming back is another fault than the one asked for.
        if share < HOLDS_SHARE * self.expected or share == 1:
            return ""
        return f"{share:.1%} of {self.count} echoes are lost"

    def ended(self) -> str:
        if (share := self._share()) > OVER_SHARE * self.expected:
            return ""
        return _connected(f"{share:.1%} of {self.count} echoes are lost", self.connect)

    @property
    def expected(self) -> float:
        """Share of echoes that should be lost: on the way there, or back."""
        return 1 - (1 - self.fault.loss_share) ** self.fault.directions

    @property
    def count(self) -> int:
        """How many are sent, so that what is lost of them is no chance."""
        return _within(math.ceil(_LOST_WANTED / self.expected), _LOSS_COUNT)

    def _share(self) -> float:
        return self.ping(PingTrain(self.count, _LOSS_GAP_US)).lost / self.count


@dataclass
class BandwidthProbe:
    """By how fast the answers to a train of echo requests follow each other; as `DelayProbe`."""

    ping: Ping
    connect: Connect
    fault: Bandwidth

    def before(self) -> None:
        speed = self._speed()
        if speed is None or speed < WIDE * self._asked:
            raise StackError(
                f"is not wider than asked for before the fault: {_speed_words(speed)}",
                where="bandwidth",
            )

    def holds(self) -> str:
        speed = self._speed()
        if speed is None or speed > NARROW * self._asked:
            return ""
        return f"a train of echoes comes back at {_speed_words(speed)}"

    def ended(self) -> str:
        speed = self._speed()
        if speed is None or speed < WIDE * self._asked:
            return ""
        return _connected(f"a train of echoes comes back at {_speed_words(speed)}", self.connect)

    @property
    def train(self) -> PingTrain:
        """As many packets as a link so narrow lets through in a tenth of a second."""
        train_bytes = self._asked * _TRAIN_S / _BITS_PER_BYTE
        size_bytes = _within(round(train_bytes / _TRAIN_COUNT[0]), _TRAIN_BYTES)
        count = _within(round(train_bytes / size_bytes), _TRAIN_COUNT)
        return PingTrain(count, 0, size_bytes, _TRAIN_PATIENCE_MS)

    @property
    def _asked(self) -> int:
        return self.fault.kbit_s * _BITS_PER_KBIT

    def _speed(self) -> float | None:
        return self.ping(self.train).bits_per_s


def probe_of(fault: LinkFault, look: Ping, connect: Connect) -> Probe | None:
    """What proves a fault of these kinds; None for another one."""
    match fault:
        case Delay():
            return DelayProbe(look, connect, fault)
        case Loss():
            return LossProbe(look, connect, fault)
        case Bandwidth():
            return BandwidthProbe(look, connect, fault)
    return None


def _connected(seen: str, connect: Connect) -> str:
    return f"{seen}; the service takes a connection" if connect() == CONNECTED else ""


def _within(number: int, range_: tuple[int, int]) -> int:
    return min(max(number, range_[0]), range_[1])


def _speed_words(bits_per_s: float | None) -> str:
    if bits_per_s is None:
        return "nothing comes back"
    return f"{bits_per_s / _BITS_PER_KBIT:,.0f} kbit/s"
