"""Compares the decisions of the engine with the exact rules of a swap."""
