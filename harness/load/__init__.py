"""The swarm: processes that send the planned signals to Redis."""
