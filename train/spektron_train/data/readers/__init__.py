"""One reader for each published data set or file format; each gives `SpectralSet`s."""
