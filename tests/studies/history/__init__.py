"""Changes of simulated histories: found, missed, and false alarms."""
