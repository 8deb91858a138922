"""Point groups of molecules, and what they say about infrared and Raman spectra."""
