"""Lead time: how long before its first signal a swarm is started."""

from __future__ import annotations

from harness.clock import NS_PER_MS, NS_PER_S
from harness.scenario import Load

# CPU time of one process for interpreter and imports: 1.1 to 1.3 s, measured with 16 processes at
# once on a 2-core host.
_START_NS = 1_500 * NS_PER_MS
# Schedule, connection and first read of the chain of one agent.
_AGENT_NS = 3 * NS_PER_MS
# Margin.
_MARGIN_NS = 2_500 * NS_PER_MS
# A new process gets a core soon, however many others are runnable.
_CONTENTION_MAX = 2.0
LEAD_MAX_NS = 60 * NS_PER_S


def lead_ns(load: Load, cores: int, queue: float) -> int:
    """Time from the start of a swarm to its first signal: 4 s for a small one on an idle host.

    Args:
        load: processes and agents.
        cores: that the harness may use.
        queue: load average of the last minute.
    """
    rounds = -(-load.processes // max(1, cores))
    contention = min(_CONTENTION_MAX, max(1.0, queue / max(1, cores)))
    agents = -(-load.agents_max // load.processes)
    own_ns = rounds * (_START_NS + agents * _AGENT_NS) * contention
    return min(LEAD_MAX_NS, _MARGIN_NS + round(own_ns))
