"""Effects of faults and stalls of the chain feed, and recoveries."""
