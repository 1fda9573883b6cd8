"""How often a comparison of runs is right, by simulation."""
