"""The reference services as data."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import SecretStr

from harness.contract.names import Contract
from harness.scenario import Load, Scenario, Stage
from harness.scenario.models import Chain, Engine, Signals
from harness.stack.process.services import (
    Wiring,
    as_program,
    http_listeners,
    migration,
    reference_services,
    rpc_nodes,
)
from harness.stack.settings import StackSettings

WIRING = Wiring(SecretStr("redis://:pw1@h/0"), SecretStr("user=defi password=pw2"))
PORTS = {"engine": 1001, "data-processor": 1002}


def _scenario(full_share: float, engine: Engine | None = None) -> Scenario:
    return Scenario(
        name="some",
        about="A scenario.",
        load=Load(stages=(Stage(agents=5, rate_from=5, rate_to=5, duration_s=5),)),
        signals=Signals(full_share=full_share),
        chain=Chain(block_time_s=0.5, watermark_max_lag=7),
        engine=engine or Engine(workers=3),
        objectives=("p99 < 500 ms",),
    )


def test_a_service_rate_reaches_the_engine_only() -> None:
    """Without one its variables are absent."""
    engine = Engine(workers=1, service="mmc", service_rate=300, servers=4)
    services = {}
    for one in (engine, Engine()):
        settings = StackSettings.of(_scenario(0.0, one), Contract())
        for spec in reference_services(settings, WIRING, PORTS):
            services[spec.name, one] = {
                name: value for name, value in spec.env if name.startswith("DEFI_SERVICE")
            }
    assert services["engine", engine] == {
        "DEFI_SERVICE": "mmc",
        "DEFI_SERVICE_RATE": "300",
        "DEFI_SERVICE_SERVERS": "4",
    }
    assert [key for key, found in services.items() if found] == [("engine", engine)]


def test_a_scenario_becomes_settings() -> None:
    """What the scenario asks of the stack reaches the services as their variables."""
    settings = StackSettings.of(_scenario(0.5), Contract(prefix="staging:"), {"redis": 16_001})
    services = {spec.name: dict(spec.env) for spec in reference_services(settings, WIRING, PORTS)}
    assert settings.anvil
    assert services["engine"]["DEFI_WORKERS"] == "3"
    assert services["engine"]["DEFI_WATERMARK_MAX_LAG"] == "7"
    assert services["engine"]["DEFI_PREFIX"] == "staging:"
    assert services["data-processor"]["DEFI_BLOCK_TIME_S"] == "0.5"
    assert services["data-processor"]["DEFI_STREAM_MAXLEN"] == "10000"


def test_anvil_only_when_there_is_one() -> None:
    """The engine learns of a node only when one runs."""
    settings = StackSettings.of(_scenario(0.0), Contract())
    assert not settings.anvil
    wired = Wiring(WIRING.redis_url, WIRING.pg_dsn, "http://127.0.0.1:8545")
    for wiring, expected in ((WIRING, None), (wired, "http://127.0.0.1:8545")):
        engine = dict(reference_services(settings, wiring, PORTS)[-1].env)
        assert engine.get("DEFI_ANVIL_URL") == expected


def test_nodes_stand_behind_an_adapter() -> None:
    """The primary first; the engine asks the adapter, and there is neither without nodes."""
    assert http_listeners(StackSettings()) == ("data-processor", "engine")
    settings = StackSettings(rpc_nodes=3, block_time_s=0.25)
    ports = {name: 2000 + index for index, name in enumerate(http_listeners(settings))}
    nodes = rpc_nodes(settings, WIRING, ports)
    assert [spec.name for spec in nodes] == ["rpc-primary", "rpc-fallback-1", "rpc-fallback-2"]
    assert {dict(spec.env)["DEFI_BLOCK_TIME_S"] for spec in nodes} == {"0.25"}
    services = {spec.name: dict(spec.env) for spec in reference_services(settings, WIRING, ports)}
    urls = ",".join(f"http://127.0.0.1:{spec.http_port}" for spec in nodes)
    assert services["chain-adapter"]["DEFI_RPC_URLS"] == urls
    adapter = f"http://127.0.0.1:{ports['chain-adapter']}"
    assert services["engine"]["DEFI_CHAIN_ADAPTER_URL"] == adapter
    alone = {
        spec.name: dict(spec.env) for spec in reference_services(StackSettings(), WIRING, PORTS)
    }
    assert "chain-adapter" not in alone
    assert "DEFI_CHAIN_ADAPTER_URL" not in alone["engine"]


def test_services_without_defects_need_no_list_of_them(tmp_path: Path) -> None:
    """Services of another repository may have no such file."""
    services = reference_services(StackSettings(root=tmp_path), WIRING, PORTS)
    assert not [spec for spec in services if "DEFI_DEFECTS" in dict(spec.env)]


def test_secrets_are_hidden_until_the_start(tmp_path: Path) -> None:
    """A printed specification shows no password; the program gets it in its environment only."""
    spec = migration(StackSettings(), WIRING)
    assert "pw1" not in repr(spec)
    assert "pw2" not in repr(spec)
    program = as_program(spec, tmp_path, tmp_path, tmp_path / "log")
    assert dict(program.env)["DEFI_PG_DSN"] == "user=defi password=pw2"
    assert program.argv == (sys.executable, "-P", "-m", "zone_b.migrate")
