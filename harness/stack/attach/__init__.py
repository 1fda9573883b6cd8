"""A system that the harness does not run: its contract, checked and read."""
