"""The interface of the system under test: names, messages, states and their mapping."""
