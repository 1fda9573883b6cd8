"""Checks of faults: that they took place, what they did, and that the system recovered."""
