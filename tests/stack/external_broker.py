"""The foreign broker of `examples/broker` on real servers, seen in each way, and what it did."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.stack.external_system import ROOT, Attached, ExternalSystem

# What its contract says of each way in which SIMULATED is seen.
WAYS: Mapping[str, dict[str, Any]] = {
    "logical": {"seen": {"way": "logical", "allow_slot": True}, "publication": "Broker orders"},
    "polling": {"seen": {"way": "polling"}},
    "notification": {
        "seen": {
            "way": "notification",
            "channel": "Broker.Reports",
            "trace_id": "order.id",
            "status": "state",
        }
    },
    "stream": {
        "seen": {
            "way": "stream",
            "stream": "broker/reports",
            "format": "fields",
            "trace_id": "order",
            "status": "state",
        }
    },
}


@dataclass(frozen=True, slots=True)
class Broker(ExternalSystem):
    """Servers with the broker's tables."""

    example: ClassVar[Path] = ROOT / "examples" / "broker" / "broker"
    schema: ClassVar[str] = "Trading"
    intake: ClassVar[tuple[str, str]] = ("broker/intake", "Trading Floor")
    streams: ClassVar[Mapping[str, dict[str, Any]]] = {
        "broker/tide": {"level": 99},
        "broker/reports": {"order": "x"},
    }
    role: ClassVar[str] = "LOGIN REPLICATION"

    def trade(
        self, way: str, folder: Path, *options: str, defects: Iterable[str] = ()
    ) -> tuple[Attached, Mapping[str, set[str]]]:
        """A run on the broker, and the trace ids of the orders that each defect harmed."""
        truth = folder / "truth.jsonl"
        words = [word for name in defects for word in ("--defect", name)]
        with self.open(options=[*words, "--truth", str(truth)]):
            run = self.attach(folder, *options, changes=WAYS[way])
        harmed: dict[str, set[str]] = defaultdict(set)
        for line in truth.read_text("utf-8").splitlines() if truth.exists() else ():
            act = json.loads(line)
            harmed[act["defect"]].add(trace_of(act["order"]))
        return run, harmed


def trace_of(order: str) -> str:
    """The trace id of an order, `ord-` and 32 digits."""
    return str(uuid.UUID(order.removeprefix("ord-")))
