"""From numbers to a verdict: objectives, integrity, validity. All pure."""
