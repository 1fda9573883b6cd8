"""The diagnosis held against causes that are known, because a scenario brings them about."""
