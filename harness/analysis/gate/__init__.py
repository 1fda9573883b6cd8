"""The decisions of the engine held against the rules of a swap, exactly."""
