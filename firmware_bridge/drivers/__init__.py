"""Instruments that do not speak the Spektron protocol, and the list of all that can be used."""
