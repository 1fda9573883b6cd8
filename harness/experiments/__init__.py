"""What runs `run` more than once."""
