"""The runtime on an emulated 64-bit ARM: `Guest.run` runs Python, or pytest, in there.

Correctness only: emulation is a hundred times slower than a processor, so nothing is timed.
"""
