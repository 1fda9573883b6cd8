"""The evidence of a run on disk."""
