"""What became of every signal, row, entry and nonce."""
