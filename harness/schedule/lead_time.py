"""How long before its first signal a swarm is started."""

from __future__ import annotations

from harness.clock import NS_PER_MS, NS_PER_S
from harness.scenario import Load

# Interpreter and imports of one process, in time of a core: 1.1 to 1.3 s on a 2-core host, of which
# 16 at once had to wait for each other.
_START_NS = 1_500 * NS_PER_MS
# Script, connection and first look at the chain of one agent.
_AGENT_NS = 3 * NS_PER_MS
# To be there in good time, whatever the above come to.
_SPARE_NS = 2_500 * NS_PER_MS
# Who starts something gets a core before long, however many programs want one.
_CROWD_MAX = 2.0
LEAD_MAX_NS = 60 * NS_PER_S


def lead_ns(load: Load, cores: int, queue: float) -> int:
    """From handing a swarm its plan to its first signal: 4 s for a small one on a quiet host.

    Args:
        load: processes and agents.
        cores: that the harness may use.
        queue: programs that run or want to, on the average of the last minute.
    """
    turns = -(-load.processes // max(1, cores))
    crowd = min(_CROWD_MAX, max(1.0, queue / max(1, cores)))
    agents = -(-load.agents_max // load.processes)
    own_ns = turns * (_START_NS + agents * _AGENT_NS) * crowd
    return min(LEAD_MAX_NS, _SPARE_NS + round(own_ns))
