"""What a person or a machine reads of a run. Pure: data in, text out."""
