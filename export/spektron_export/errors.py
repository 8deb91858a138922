"""What can go wrong in an export."""


class ExportError(Exception):
    """The graph that came out is not the graph that was asked for."""


class ParityError(ExportError):
    """A graph differs from torch by more than its tolerance; the message names the quantity."""
