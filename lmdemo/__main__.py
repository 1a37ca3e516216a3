"""`python -m lmdemo`."""

import sys

from lmdemo.cli import main

sys.exit(main())
