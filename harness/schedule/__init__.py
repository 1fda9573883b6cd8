"""Content and intended time of each agent's signals; pure."""
