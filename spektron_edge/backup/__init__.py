"""Backup and restore: all that a device knows, in one file, and back onto a device."""
