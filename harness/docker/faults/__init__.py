"""Faults in containers: what injects each, and what proves it from inside."""
