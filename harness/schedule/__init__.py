"""What each agent sends, and when; pure."""
