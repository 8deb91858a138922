"""The site that `make docs` makes of docs/: its settings and its navigation."""
