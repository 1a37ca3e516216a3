"""The READMEs, and the code in them as a reader copies it."""

import re

from lmdemo.bench import ROOT

FILES = [ROOT / "README.md", *sorted((ROOT / "lmdemo").rglob("README.md")), ROOT / "tests" / "README.md"]
READMES = {path: path.read_text(encoding="utf-8") for path in FILES}
TOP = READMES[FILES[0]]  # the card of a Space, and the way to the others
README = "\n".join(READMES.values())
PRINTED_ADDRESS = "http://127.0.0.1:7860"


def block(language: str, contains: str) -> str:
    """The one block of code in that language that has these words, as one of the READMEs prints it."""
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", README, re.DOTALL | re.MULTILINE)
    (found,) = (re.sub(rf"^{margin}", "", code, flags=re.MULTILINE) for margin, code in blocks if contains in code)
    return found
