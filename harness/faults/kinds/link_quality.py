"""`delay`, `loss` and `bandwidth`: the link between two containers is slow, lossy or narrow.

The kernel's own means for that (netem) is missing in many kernels, and stays in force when its
owner dies; a queue whose reader is gone lets every packet pass.

The probes send echo requests (ICMP) to the peer's kernel, so that its service may be busy; that it
works again is seen by a connection to its own port.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.clock import NS_PER_MS
from harness.errors import StackError
from harness.faults.docker.container_network import Inspect, container_network_of, shared_addresses
from harness.faults.docker.icmp_probe import PingResult, PingTrain
from harness.faults.docker.link_model import LinkSettings
from harness.faults.docker.link_path import CONNECTED
from harness.faults.docker.relay_process import RelayProcess
from harness.faults.instance import FaultInstance, Probe, injection
from harness.faults.kinds.partition import FilterRule, LinkFault, link_path
from harness.scenario.fault_registry import fault

if TYPE_CHECKING:  # an engine and its client
    from harness.faults.docker.factory import DockerFaultFactory

# A probe of a link takes up to two seconds; a shorter fault could not be proven.
_Length = Annotated[float, Field(ge=2, le=86_400)]
# Starts a relay: a process in whose network namespace, the number of its queue, the link.
StartRelay = Callable[[int, int, LinkSettings], RelayProcess]

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
# Duration of a train on a link as narrow as asked for, with packets of about this size.
_TRAIN_S = 0.1
_TRAIN_COUNT = (8, 100)
_TRAIN_BYTES = (200, 1_400)
_TRAIN_PATIENCE_MS = 1_500
_BITS_PER_BYTE = 8
_BITS_PER_KBIT = 1_000

Ping = Callable[[PingTrain], PingResult]
Connect = Callable[[], str]


@fault("delay")
class Delay(LinkFault):
    """Each packet arrives later for `for_s`; their order stays.

    Attributes:
        delay_ms: by so much in each direction concerned.
        jitter_ms: more or less by up to so much, evenly spread.
    """

    kind: Literal["delay"]
    delay_ms: Annotated[float, Field(ge=1, le=500)]
    jitter_ms: Annotated[float, Field(ge=0, le=500)] = 0.0
    for_s: _Length

    @model_validator(mode="after")
    def _no_packet_comes_early(self) -> Delay:
        if self.jitter_ms > self.delay_ms:
            raise ValueError("jitter_ms is more than delay_ms: no packet can come early")
        return self

    @property
    def settings(self) -> LinkSettings:
        """What the relay does in each direction concerned."""
        return LinkSettings(
            delay_ns=round(self.delay_ms * NS_PER_MS), jitter_ns=round(self.jitter_ms * NS_PER_MS)
        )

    @classmethod
    def draw(cls, chance: random.Random, room_s: float) -> dict[str, Any]:
        drawn = super().draw(chance, room_s)
        delay_ms = round(chance.uniform(5, 50), 1)  # as on a bad network
        jitter_ms = round(chance.uniform(0, delay_ms / 2), 1)
        return {**drawn, "delay_ms": delay_ms, "jitter_ms": jitter_ms}


@fault("loss")
class Loss(LinkFault):
    """Some packets are lost for `for_s`, each with the same chance.

    Attributes:
        loss_share: how many of them in each direction concerned, 0..1.
    """

    kind: Literal["loss"]
    loss_share: Annotated[float, Field(ge=0.02, le=0.9)]
    for_s: _Length

    @property
    def settings(self) -> LinkSettings:
        """What the relay does in each direction concerned."""
        return LinkSettings(loss_share=self.loss_share)

    @classmethod
    def draw(cls, chance: random.Random, room_s: float) -> dict[str, Any]:
        drawn = super().draw(chance, room_s)
        return {**drawn, "loss_share": round(chance.uniform(0.05, 0.25), 3)}


@fault("bandwidth")
class Bandwidth(LinkFault):
    """Packets follow each other no faster for `for_s`; what would wait too long is dropped.

    Attributes:
        kbit_s: thousands of bits a second in each direction concerned, headers included.
    """

    kind: Literal["bandwidth"]
    kbit_s: Annotated[int, Field(ge=64, le=100_000)]
    for_s: _Length

    @property
    def settings(self) -> LinkSettings:
        """What the relay does in each direction concerned."""
        return LinkSettings(bits_per_s=self.kbit_s * _BITS_PER_KBIT)

    @classmethod
    def draw(cls, chance: random.Random, room_s: float) -> dict[str, Any]:
        drawn = super().draw(chance, room_s)
        return {**drawn, "kbit_s": chance.randint(500, 4_000)}


ImpairedLink = Delay | Loss | Bandwidth


@injection(Delay, "docker")
@injection(Loss, "docker")
@injection(Bandwidth, "docker")
def _impair(fault: ImpairedLink, on: DockerFaultFactory) -> FaultInstance:
    path = link_path(fault, on)
    injector = LinkInjector(
        on.inspect,
        path.name,
        path.peer,
        fault.direction,
        on.mark,
        on.next_queue(),
        fault.settings,
    )
    return FaultInstance(injector, probe_of(fault, path.ping, path.connect))


def probe_of(fault: ImpairedLink, ping: Ping, connect: Connect) -> Probe:
    """What proves such a fault."""
    match fault:
        case Delay():
            return DelayProbe(ping, connect, fault)
        case Loss():
            return LossProbe(ping, connect, fault)
        case Bandwidth():
            return BandwidthProbe(ping, connect, fault)


@dataclass
class LinkInjector:
    """A relay at the end where packets come in, for each direction concerned.

    There and not where they leave: a sender is not held back by packets that it has sent already.
    The rules lie in the containers' own network namespaces and vanish with them; without a relay
    they let every packet pass.

    Attributes:
        queue: number of the packet queue; no other relay's in these namespaces.
    """

    inspect: Inspect
    name: str
    peer: str
    direction: str
    mark: str
    queue: int
    settings: LinkSettings
    start: StartRelay = RelayProcess.start
    _rules: list[FilterRule] = field(default_factory=list, init=False)
    _relays: list[RelayProcess] = field(default_factory=list, init=False)

    def inject(self) -> None:
        own, other = (
            container_network_of(self.inspect(self.name)),
            container_network_of(self.inspect(self.peer)),
        )
        pairs = shared_addresses(own, other)
        if not own.pid or not other.pid or not pairs:
            raise StackError("one of them does not run", where="link")
        if self.direction in ("both", "to_peer"):
            self._relay(other.pid, [here for here, _ in pairs], "to_peer")
        if self.direction in ("both", "from_peer"):
            self._relay(own.pid, [there for _, there in pairs], "from_peer")

    def heal(self) -> None:
        # Rules first: what comes after them goes its own way, and what is held is let go.
        for rule in self._rules:
            rule.delete()
        with ExitStack() as left:  # each of them, also when another one fails
            for relay in reversed(self._relays):
                left.callback(relay.end)

    def _relay(self, pid: int, sources: list[str], way: str) -> None:
        line = replace(self.settings, seed=f"{self.queue}/{way}")
        self._relays.append(self.start(pid, self.queue, line))
        jump = ("NFQUEUE", "--queue-num", str(self.queue), "--queue-bypass")
        for source in sources:
            # Before connections are tracked: of packets that wait together at the beginning of a
            # connection, the tracker lets only the first go on.
            rule = FilterRule(pid, "PREROUTING", "-s", source, self.mark, jump, "raw")
            self._rules.append(rule)
            rule.add()


@dataclass
class DelayProbe:
    """By the time of round trips, against that before.

    Attributes:
        ping: sends echo requests (ICMP).
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
            raise StackError("no ping is answered before the fault", where="delay")
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
            f"a ping takes {trips[1] / NS_PER_MS:.1f} ms (median),"
            f" {self._before_ns[1] / NS_PER_MS:.1f} before"
        )

    def ended(self) -> str:
        trips = self._trips()
        if trips is None:
            return ""
        if trips[1] - self._before_ns[1] >= OVER_SHARE * self._trip_ns(self.fault.delay_ms):
            return ""
        return _connected(f"a ping takes {trips[1] / NS_PER_MS:.1f} ms", self.connect)

    def _trips(self) -> tuple[int, int] | None:
        """The quickest and the median; None where none came back."""
        patience_ms = math.ceil(2 * (self.fault.delay_ms + self.fault.jitter_ms)) + 300
        found = self.ping(PingTrain(_TRIPS, _TRIP_GAP_US, patience_ms=patience_ms)).round_trips_ns
        return (found[0], round(statistics.median(found))) if found else None

    def _trip_ns(self, one_way_ms: float) -> float:
        return one_way_ms * NS_PER_MS * self.fault.directions


@dataclass
class LossProbe:
    """By the share of echo requests without an answer; attributes as of `DelayProbe`."""

    ping: Ping
    connect: Connect
    fault: Loss

    def before(self) -> None:
        if (share := self._share()) > OVER_SHARE * self.expected:
            raise StackError(f"loses {share:.1%} of pings before the fault", where="loss")

    def holds(self) -> str:
        share = self._share()
        # Nothing at all coming back is another fault than the one asked for.
        if share < HOLDS_SHARE * self.expected or share == 1:
            return ""
        return f"{share:.1%} of {self.count} pings are lost"

    def ended(self) -> str:
        if (share := self._share()) > OVER_SHARE * self.expected:
            return ""
        return _connected(f"{share:.1%} of {self.count} pings are lost", self.connect)

    @property
    def expected(self) -> float:
        """Share of echo requests that should be lost, on the way there or back."""
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
                f"is not wider than asked for before the fault: {_format_speed(speed)}",
                where="bandwidth",
            )

    def holds(self) -> str:
        speed = self._speed()
        if speed is None or speed > NARROW * self._asked:
            return ""
        return f"a train of pings comes back at {_format_speed(speed)}"

    def ended(self) -> str:
        speed = self._speed()
        if speed is None or speed < WIDE * self._asked:
            return ""
        return _connected(f"a train of pings comes back at {_format_speed(speed)}", self.connect)

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


def _connected(seen: str, connect: Connect) -> str:
    return f"{seen}; the service takes a connection" if connect() == CONNECTED else ""


def _within(number: int, range_: tuple[int, int]) -> int:
    return min(max(number, range_[0]), range_[1])


def _format_speed(bits_per_s: float | None) -> str:
    if bits_per_s is None:
        return "nothing comes back"
    return f"{bits_per_s / _BITS_PER_KBIT:,.0f} kbit/s"
