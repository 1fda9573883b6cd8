"""Load and latency test harness for a Redis Streams -> FSM execution pipeline."""

__version__ = "0.1.0"
