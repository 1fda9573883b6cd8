"""Computes figures from evidence; no sockets, no processes, writes nothing."""
