"""Bytes on a serial line <-> scans."""
