"""The report beside a bundle: what it holds, how its graphs compare, and how fast they are here."""

from .content import Contents, contents_of
from .files import report_paths, write_report

__all__ = ["Contents", "contents_of", "report_paths", "write_report"]
