"""From a foundation to a product: calibration, few labels, adapters."""
