"""The folder of one run: where each piece of evidence lies, and how it is written and read."""

from harness.store.facts import HEADS, KEPT, TELEMETRY, ObserverFacts, RunEvent, RunFacts, RunPlan
from harness.store.files import SCHEMA_VERSION
from harness.store.folder import RunFolder
from harness.store.reserve import Reserve

__all__ = [
    "HEADS",
    "KEPT",
    "SCHEMA_VERSION",
    "TELEMETRY",
    "ObserverFacts",
    "Reserve",
    "RunEvent",
    "RunFacts",
    "RunFolder",
    "RunPlan",
]
