"""Checkpoint to bundle: ONNX graphs, quantisation, parity, manifest."""
