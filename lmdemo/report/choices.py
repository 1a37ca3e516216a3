"""What a run says of 8 bits, in sentences: where a variant chose another word, and where it goes a way of its own."""

from unicodedata import bidirectional

from lmdemo.generation import Generation


def parting(generation: Generation) -> str:
    """At how many places each variant chose another word, and from where on its own text goes another way; by line."""
    _, *others = generation.writings
    if generation.compared == 0:
        return f"{' and '.join(generation.writings)} are starting."
    if not others:
        return f"{generation.compared:,} words written; nothing to compare them with."
    return "\n".join(f"{chosen(generation, name)} {own_way(generation, name)}".strip() for name in others)


def chosen(generation: Generation, name: str) -> str:
    """At how many places a variant chose another word along the baseline's."""
    return f"{name} chose another word at {_share(generation, name)} places{_so_far(generation)}."


def own_way(generation: Generation, name: str) -> str:
    """From where on a variant's own text goes another way; empty if it does not."""
    word = _first_own(generation, name)
    return f"Left to itself it goes another way from word {word}." if word else ""


def chosen_short(generation: Generation, name: str) -> str:
    """As `chosen`, beside the variant's name."""
    return f"{_share(generation, name)}{_so_far(generation)}"


def own_way_short(generation: Generation, name: str) -> str:
    """As `own_way`, beside the variant's name."""
    word = _first_own(generation, name)
    return f"own way from word {word}" if word else "same text"


def _share(generation: Generation, name: str) -> str:
    """Places at which a variant chose another word, of those looked at."""
    found = generation.along[name]
    count = f"{len(found.others):,}" if found.others else "none"
    return f"{count} of {found.reached:,}"


def _first_own(generation: Generation, name: str) -> str:
    """The number of the word from which a variant's own text goes another way; empty if it does not."""
    parted = generation.parted(name)
    return f"{parted[0] + 1:,}" if parted else ""


def _so_far(generation: Generation) -> str:
    return "" if generation.final else " so far"


def unknown_words(generation: Generation) -> str:
    """Which words of the prompt the model does not have; empty if it has them all."""
    if not generation.unknown:
        return ""
    first = ", ".join(map(isolated, generation.unknown[:5]))  # or words from right to left would turn the list around
    shown = first + (" …" if len(generation.unknown) > 5 else "")
    return f"Not in the model’s vocabulary, read as <unk>: {shown}"


def isolated(word: str) -> str:
    """A word; one from right to left between the marks that keep its direction from what stands around it."""
    turns = any(bidirectional(letter) in ("R", "AL", "AN") for letter in word)
    return f"\u2068{word}\u2069" if turns else word
