"""What docs/protocol.md promises of an instrument, as requirements that are tried on one."""
