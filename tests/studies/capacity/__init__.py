"""How well the search finds a known capacity, in virtual time."""
