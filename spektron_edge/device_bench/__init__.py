"""Which backend and precision is best on this machine."""
