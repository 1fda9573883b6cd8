"""A run under way, for those who watch it: in a terminal, from another shell, by Prometheus."""
