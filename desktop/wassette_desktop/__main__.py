"""`python -m wassette_desktop`."""

import sys

from .run import main

sys.exit(main())
