"""The README, and the code in it as a reader copies it."""

import re

from lmdemo.bench import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PRINTED_ADDRESS = "http://127.0.0.1:7860"


def block(language: str, contains: str) -> str:
    """The one block of code in that language that has these words, as the README prints it."""
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", README, re.DOTALL | re.MULTILINE)
    (found,) = (re.sub(rf"^{margin}", "", code, flags=re.MULTILINE) for margin, code in blocks if contains in code)
    return found
