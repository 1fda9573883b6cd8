"""Resource use of the system's parts, sampled once a second by a process of its own."""
