"""Why the latency of a run is what it is. Pure: stored figures in, answers out."""
