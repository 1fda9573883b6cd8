"""What the system's parts use while it works: a process of its own that looks once a second."""
