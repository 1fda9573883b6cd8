"""Integrity of the system's state: rows, ledger entries, stream entries and nonces."""
