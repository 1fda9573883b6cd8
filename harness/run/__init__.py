"""One run from start to verdict, and the parts that it starts."""
