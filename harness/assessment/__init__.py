"""From a folder of evidence to a stored result; of single runs and of groups."""
