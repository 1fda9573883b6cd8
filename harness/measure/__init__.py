"""From evidence to numbers: histograms, matching, stages, statistics. All pure."""
