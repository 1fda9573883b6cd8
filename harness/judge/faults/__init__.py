"""Checks of faults: that they took effect, what they did, and that the system recovered."""
