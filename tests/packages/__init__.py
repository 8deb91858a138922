"""Packages are installed on machines that boot."""
