"""Molecular vibrations: from masses and forces to the spectrum, and back as far as that goes."""
