"""The main job on a desk: a virtual spectrometer, the daemon, a broker and a subscriber."""
