"""Faults: injected on a schedule, proven by a probe of their own, always healed."""
