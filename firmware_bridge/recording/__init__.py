"""Raw bytes of both directions with their times, kept in a file and played back."""
