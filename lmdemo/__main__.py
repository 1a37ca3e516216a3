"""`python -m lmdemo`."""

import sys

from lmdemo.cli import main
from lmdemo.console import take_any_text

take_any_text()
sys.exit(main())
