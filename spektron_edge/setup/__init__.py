"""From questions to a configuration: asked for, checked, shown, written, and tried."""
