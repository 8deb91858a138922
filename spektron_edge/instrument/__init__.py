"""From the port to scans: one thread that owns the line to the instrument."""
