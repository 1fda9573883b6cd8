"""Starting the system under test, and proving what was started."""
