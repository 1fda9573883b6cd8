"""What a stack is asked to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.clock import NS_PER_S
from harness.contract.names import Contract
from harness.data_files import DATA
from harness.errors import UsageError
from harness.scenario import Scenario
from harness.scenario.agent_containers import AgentContainers
from harness.scenario.system_settings import QUOTA_SERVICES, ServiceQuota, setting_text
from harness.stack.defect_catalogue import check_defects, defects_of

# The folder of `compose/`, which the tests know by this name as the checkout.
ROOT = DATA
RPC_PRIMARY = "rpc-primary"
# Everything that listens; a port of its own can be configured for each.
LISTENERS = ("redis", "postgres", "anvil", "engine", "data-processor", "chain-adapter")


@dataclass(frozen=True, slots=True)
class StackSettings:
    """Settings of the process stack.

    Attributes:
        contract: names on the wire and in the database.
        workers: worker processes of the engine.
        watermark_max_lag: blocks after which a signal is stale.
        block_time_s: seconds between blocks.
        anvil: whether an Anvil node is started.
        gate: whether another one will be, for a gate under load.
        rpc_nodes: RPC nodes that are started, upstream of a chain adapter; 0 starts neither.
        redis_maxmemory_mb: memory that Redis may use, in MiB; 0 is as much as there is. Of a
            cluster, each node.
        redis_cluster_nodes: nodes of a Redis Cluster; 0 is one server outside of a cluster.
        quotas: limits instead of the specified ones, by service; containers only.
        postgres: settings of PostgreSQL instead of its usual ones, by name.
        defects: named defects of the reference services to be switched on.
        service: variables of a reference engine with a known capacity.
        defect_log: where these record what they did.
        stepped: services whose wall clock is to be set, as faults.
        agents: agents of Zone A at the start, in addition to the swarm.
        agent_variables: environment of each of them, without the address of Redis.
        ports: configured ports by listener; the others take free ones.
        root: folder that holds `compose/`, see `harness.data_files`.
        ready_ns: the longest that one service may take to become ready.
    """

    contract: Contract = field(default_factory=Contract)
    workers: int = 2
    watermark_max_lag: int = 2
    block_time_s: float = 2.0
    anvil: bool = False
    gate: bool = False
    rpc_nodes: int = 0
    redis_maxmemory_mb: int = 0
    redis_cluster_nodes: int = 0
    quotas: Mapping[str, ServiceQuota] = field(default_factory=dict)
    postgres: Mapping[str, str] = field(default_factory=dict)
    defects: tuple[str, ...] = ()
    service: tuple[tuple[str, str], ...] = ()
    defect_log: Path | None = None
    stepped: frozenset[str] = frozenset()
    agents: int = 0
    agent_variables: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    root: Path = ROOT
    ready_ns: int = 20 * NS_PER_S

    def __post_init__(self) -> None:
        for name, port in self.ports.items():
            if name not in LISTENERS:
                raise UsageError(
                    f"no service {name!r} listens", where="ports", hint=", ".join(LISTENERS)
                )
            if not 1 <= port <= 65_535:
                raise UsageError(f"{port} is not a port", where=name, hint="1 to 65535")

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        contract: Contract,
        ports: Mapping[str, int] | None = None,
        root: Path = ROOT,
        defect_log: Path | None = None,
    ) -> StackSettings:
        """The stack that a scenario asks for.

        Raises:
            UsageError: it asks for defects that do not exist, or of a service that it does not.
        """
        check_defects(scenario.engine.defects, root)
        _check_node(scenario, root)
        return cls(
            contract=contract,
            workers=scenario.engine.workers,
            watermark_max_lag=scenario.chain.watermark_max_lag,
            block_time_s=scenario.chain.block_time_s,
            anvil=scenario.needs_anvil,
            gate=scenario.gate is not None,
            rpc_nodes=scenario.chain.nodes,
            redis_maxmemory_mb=scenario.redis.maxmemory_mb,
            redis_cluster_nodes=scenario.redis.cluster_nodes or 0,
            quotas={QUOTA_SERVICES[name]: quota for name, quota in scenario.quota.items()},
            postgres={name: setting_text(value) for name, value in scenario.postgres.items()},
            defects=scenario.engine.defects,
            service=scenario.engine.service_variables,
            defect_log=defect_log if scenario.engine.defects else None,
            stepped=frozenset(one.target for one in scenario.fault if one.steps_clock),
            agents=scenario.agent_containers.agents,
            agent_variables=agent_variables(scenario.agent_containers, contract),
            ports=dict(ports or {}),
            root=root,
        )


def agent_variables(asked: AgentContainers, contract: Contract) -> dict[str, str]:
    """The variables of the agents that a scenario asks for; in the Compose files they are alike."""
    return {
        "AGENT_RATE": f"{asked.rate:g}",
        "AGENT_GROUP": contract.streams.agents_group if asked.shared_group else "",
        "AGENT_THINK_S": str(asked.think_s),
        "AGENT_CLAIM_AFTER_S": str(asked.claim_after_s),
        # A hundred agents that wait briefly would lose their turns; see `compose/zone_a/agent.py`.
        "AGENT_BLOCK_S": "8" if asked.steps else "1",
    }


def _check_node(scenario: Scenario, root: Path) -> None:
    if not scenario.chain.nodes and defects_of(RPC_PRIMARY, scenario.engine.defects, root):
        raise UsageError(
            f"a defect of {RPC_PRIMARY}, and no such node is started",
            where="engine.defects",
            hint="--set chain.nodes=2",
        )
