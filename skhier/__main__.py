"""The command `python -m skhier`: learn synthetic images and real ones."""

import sys

from ._main import main

sys.exit(main())
