"""Load and latency test harness for a Redis Streams -> FSM execution pipeline.

`harness.run`, `harness.load_result` and the other names below are the Python API, which
docs/python-api.md describes. They are loaded on first use: `import harness` by itself is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.api.durations import Duration as Duration
    from harness.api.durations import ms as ms
    from harness.api.durations import seconds as seconds
    from harness.api.durations import us as us
    from harness.api.outcomes import InvalidRunError as InvalidRunError
    from harness.api.outcomes import RunFailedError as RunFailedError
    from harness.api.outcomes import UndecidedError as UndecidedError
    from harness.api.percentile import Percentile as Percentile
    from harness.api.result import Result as Result
    from harness.api.result import load_result as load_result
    from harness.api.running import run as run
    from harness.api.table import Table as Table
    from harness.errors import EvidenceError as EvidenceError
    from harness.errors import HarnessError as HarnessError
    from harness.errors import StackError as StackError
    from harness.errors import UsageError as UsageError
    from harness.judge.verdict import Verdict as Verdict

__version__ = "0.1.0"

# Module of each name. Imported by name, so that whoever reads the version does not depend on it.
_API = {
    **dict.fromkeys(("Duration", "ms", "seconds", "us"), "harness.api.durations"),
    **dict.fromkeys(
        ("InvalidRunError", "RunFailedError", "UndecidedError"), "harness.api.outcomes"
    ),
    "Percentile": "harness.api.percentile",
    **dict.fromkeys(("Result", "load_result"), "harness.api.result"),
    "run": "harness.api.running",
    "Table": "harness.api.table",
    **dict.fromkeys(
        ("EvidenceError", "HarnessError", "StackError", "UsageError"), "harness.errors"
    ),
    "Verdict": "harness.judge.verdict",
}

if not TYPE_CHECKING:  # a type checker knows the names above, and reports all others

    def __getattr__(name: str) -> Any:
        """A name of the API, loaded now.

        Raises:
            AttributeError: there is no such name.
        """
        if name in _API:
            return getattr(import_module(_API[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
