"""A system that already runs: its contract file, what is asked of it before the load, the stack."""
