"""What a run leaves behind on disk, before anything is judged."""
