"""`python -m skhier`: see the algorithm learn synthetic and real images."""

import sys

from ._main import main

sys.exit(main())
