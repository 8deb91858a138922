"""How files are kept on disk, so that they survive a power cut."""
