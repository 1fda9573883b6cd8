"""What faults, stalls of the chain feed and recoveries did to the figures."""
