"""Long studies: each runs for minutes to hours and prints a table; none is part of `make test`."""
