"""From a spectrum to values: the model in use, and whether its calibration applies."""
