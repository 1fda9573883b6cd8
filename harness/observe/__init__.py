"""Sightings of SIMULATED, and the state in which the run was left."""
