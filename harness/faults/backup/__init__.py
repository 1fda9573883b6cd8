"""Backups of the database while the load runs, and their restores."""
