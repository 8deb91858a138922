"""Calibration transfer to a new instrument with few samples: `fit`."""

from .fit import History, fit
from .problem import TransferError
from .result import Intervals, Transfer

__all__ = ["History", "Intervals", "Transfer", "TransferError", "fit"]
