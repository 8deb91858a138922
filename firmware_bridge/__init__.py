"""Bytes to scans: framing, wire protocol, serial link and virtual instruments."""
