"""Sparkplug B 3.0: the same records, as a plant's SCADA reads them."""
