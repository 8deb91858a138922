"""What a detector does to counts, and how it is undone: pure functions of arrays and numbers."""
