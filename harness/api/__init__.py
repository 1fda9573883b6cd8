"""The Python API: run a scenario, read a stored run, compare its figures with limits.

Users import its names from `harness`, which loads a module of this package on first use.
"""
