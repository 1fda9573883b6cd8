"""What a run under way shows of itself: a snapshot, a metrics page, abort conditions."""
