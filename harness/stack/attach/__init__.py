"""A system that somebody else runs: its contract, checked and read."""
