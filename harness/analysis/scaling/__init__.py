"""How a capacity, a throughput or a latency depends on one varied setting; pure."""
