"""The search of a capacity: which level is tried next, and what the trials prove; pure."""
