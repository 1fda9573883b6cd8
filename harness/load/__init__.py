"""Pacing (pure) and the swarm that follows it."""
