"""Making a link between two containers slow, lossy or narrow.

The kernel's own means for that (netem) is missing in many kernels and hands nothing back when its
owner dies; a queue whose reader is gone lets every packet pass.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from harness.clock import NS_PER_MS
from harness.errors import StackError
from harness.faults.docker.container_network import Inspect, container_network_of, shared_addresses
from harness.faults.docker.link_model import LinkSettings
from harness.faults.docker.partition import FilterRule
from harness.faults.docker.relay_process import RelayProcess
from harness.scenario.link_faults import Bandwidth, Delay, LinkFault, Loss

_BITS_PER_KBIT = 1_000
# Starts a relay: a process in whose network namespace, the number of its queue, the line.
StartRelay = Callable[[int, int, LinkSettings], RelayProcess]


def link_settings_of(fault: LinkFault) -> LinkSettings:
    """What a fault makes of each direction concerned; a line that does nothing for other kinds."""
    match fault:
        case Delay():
            return LinkSettings(
                delay_ns=round(fault.delay_ms * NS_PER_MS),
                jitter_ns=round(fault.jitter_ms * NS_PER_MS),
            )
        case Loss():
            return LinkSettings(loss_share=fault.loss_share)
        case Bandwidth():
            return LinkSettings(bits_per_s=fault.kbit_s * _BITS_PER_KBIT)
    return LinkSettings()


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
        with ExitStack() as left:  # each of them, whatever becomes of the others
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
