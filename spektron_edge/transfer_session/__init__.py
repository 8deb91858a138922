"""A transfer on the device: samples measured one after another, judged, fitted in a child."""

from .conclusion import Finished
from .session import Session, Status
from .spectra_file import Scans, read_spectra

__all__ = ["Finished", "Scans", "Session", "Status", "read_spectra"]
