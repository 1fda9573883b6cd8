"""The stack as processes of this host."""
