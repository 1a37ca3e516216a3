"""The texts of a corpus folder: train.txt, valid.txt and test.txt, as the word_language_model example has them.

It knows nothing of models.
"""

from pathlib import Path

from lmdemo.errors import CorpusError
from lmdemo.text import UTF8, read_corpus

SPLITS = ("train", "valid", "test")


def split_words(folder: Path, split: str, encoding: str = UTF8) -> list[str]:
    """The words of one text of a corpus folder; see `read_corpus`.

    Raises:
        CorpusError: it is missing, cannot be read, or is not UTF-8.
    """
    path = split_file(folder, split)
    try:
        return read_corpus(path, encoding)
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path.name} is not UTF-8 text.") from error
    except OSError as error:
        raise CorpusError(f"{path.name} could not be read ({error.strerror}).") from error


def split_file(folder: Path, split: str) -> Path:
    """Where the text of that name lies.

    Raises:
        CorpusError: there is none.
    """
    path = folder / f"{split}.txt"
    if not path.is_file():
        *names, last = (f"{name}.txt" for name in SPLITS)
        raise CorpusError(
            f"No {path.name} in {folder}; a corpus folder has {', '.join(names)} and {last}." + _renaming(folder, split)
        )
    return path


def _renaming(folder: Path, split: str) -> str:
    """Which file may be meant: WikiText comes as wiki.train.tokens, the Penn Treebank as ptb.train.txt."""
    files = (path.name for path in folder.glob(f"*{split}*") if path.is_file())
    found = min(files, default=None)
    return f" Is it {found!a}? Rename that to {split}.txt." if found else ""
