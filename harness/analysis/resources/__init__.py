"""Telemetry of the system and self-monitoring of the harness, as time series."""
