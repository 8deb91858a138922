"""What of a force field can be read back from a spectrum: ranks of the forward map's Jacobian."""
