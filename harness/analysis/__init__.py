"""Evidence into figures; pure: no sockets, no processes, nothing written."""
