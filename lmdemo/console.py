"""Standard output takes any text, whatever its encoding.

What cannot be written is escaped, as Python does by itself on standard error: `\\u2192` for → in the code pages of
Windows consoles or under `LC_ALL=C`. Without this a process ends in a UnicodeEncodeError, for what Gradio prints too.
"""

import io
import sys


def take_any_text() -> None:
    """Set this process's standard output right; what is no text stream of Python's own is left as it is.

    There is none at all under pythonw, where `print` does nothing.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
