"""Calibration transfer to a new instrument with few samples: `fit`."""

from .fit import fit
from .inputs import History
from .problem import TransferError
from .result import Intervals, Transfer

__all__ = ["History", "Intervals", "Transfer", "TransferError", "fit"]
