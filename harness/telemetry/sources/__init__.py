"""One module per telemetry source; each registers itself with `telemetry_source`."""
