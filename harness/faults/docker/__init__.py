"""Faults that need containers."""
