"""The configuration file: TOML, checked by pydantic before anything starts."""
