"""`python -m spektron_edge`."""

import sys

from spektron_edge.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
