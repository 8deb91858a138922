"""`python -m spektron_train`."""

import sys

from .cli import main

sys.exit(main())
