"""The MEV router (`python -m zone_b.mev_router`): POST /route says where a trade is sent.

    {"amount_in": "10", "capital": "100", "max_slippage_bps": 50, "gas_price_limit": "1"}

In addition to the shared variables it reads DEFI_MEV_ATTACK_GAS,
DEFI_MEV_SLIPPAGE_PUBLIC_MAX_BPS and DEFI_MEV_SIZE_PUBLIC_MAX_BPS;
`mev_route.RouteRules` says what they mean.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram

from zone_b.env_variables import port, whole
from zone_b.http_service import Answer, Health, HttpService
from zone_b.mev_route import RouteRules, WrongTradeError, decide, read_trade, write_decision
from zone_b.service_lifecycle import run_until_stopped
from zone_b.settings import Settings, read_settings

_MS_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_NS_PER_MS = 1e6


def read_rules(env: Mapping[str, str]) -> RouteRules:
    """Rules from the environment.

    Raises:
        SettingsError: a value is out of range.
    """
    default = RouteRules()
    return RouteRules(
        attack_gas=whole(env, "DEFI_MEV_ATTACK_GAS", default.attack_gas, 0, 100_000_000),
        slippage_public_max_bps=whole(
            env, "DEFI_MEV_SLIPPAGE_PUBLIC_MAX_BPS", default.slippage_public_max_bps, 0, 10_000
        ),
        size_public_max_bps=whole(
            env, "DEFI_MEV_SIZE_PUBLIC_MAX_BPS", default.size_public_max_bps, 0, 10_000
        ),
    )


class Router:
    """Decides, and counts what it decided."""

    def __init__(self, rules: RouteRules, registry: CollectorRegistry) -> None:
        self._rules = rules
        self._routes = Counter(
            "defi_mev_routes", "Decisions", ["mempool", "reason"], registry=registry
        )
        self._refused = Counter("defi_mev_refused", "Questions without a trade", registry=registry)
        self._duration = Histogram(
            "defi_mev_route_duration_ms",
            "Time for one decision, in ms",
            buckets=_MS_BUCKETS,
            registry=registry,
        )

    def route(self, body: bytes) -> Answer:
        """Answer one question."""
        began = time.monotonic_ns()
        try:
            decision = decide(read_trade(body), self._rules)
        except WrongTradeError as error:
            self._refused.inc()
            return Answer(400, json.dumps({"error": str(error)}).encode())
        self._routes.labels(decision.mempool, decision.reason).inc()
        self._duration.observe((time.monotonic_ns() - began) / _NS_PER_MS)
        return Answer(200, write_decision(decision))


def run(shared: Settings, rules: RouteRules, stop: threading.Event) -> None:
    """Serve until the signal to stop.

    Raises:
        OSError: the port is in use.
    """
    registry = CollectorRegistry()
    router = Router(rules, registry)
    http = HttpService(
        shared.http_host,
        shared.http_port,
        registry,
        lambda: Health(True),
        {"/route": router.route},
    )
    http.start()
    stop.wait()
    http.stop()


def main() -> int:
    """Run the MEV router; the exit code."""
    return run_until_stopped("mev_router", _work)


def _work(stop: threading.Event) -> None:
    shared = read_settings()
    port(shared.http_port)
    run(shared, read_rules(os.environ), stop)


if __name__ == "__main__":
    sys.exit(main())
