"""Commands and exit codes; the only place that picks concrete parts."""

from harness.cli.app import main

__all__ = ["main"]
