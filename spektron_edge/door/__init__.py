"""The door: what local programs, the page above all, see of the daemon and ask of it."""
