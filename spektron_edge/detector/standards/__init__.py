"""Tables of wavelength standards."""
