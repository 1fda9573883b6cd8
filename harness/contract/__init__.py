"""What is said on the wire: names, messages, states and how they are mapped."""
