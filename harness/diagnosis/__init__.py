"""Why the latency is what it is: questions in a set order, answered from telemetry."""
