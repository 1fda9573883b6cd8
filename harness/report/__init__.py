"""Results as text, for people and for other programs. Pure: data in, text out."""
