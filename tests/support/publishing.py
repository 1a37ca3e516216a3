"""What the tests that publish to the Hub on loopback share."""

from huggingface_hub import ModelCard

from local_hub import LocalHub

OURS = {"config.json", "model.safetensors", "vocab.txt", "test.txt", "README.md"}


def unasked(found: str) -> bool:
    """The answer where nothing is to be asked."""
    raise AssertionError(f"asked although nothing is replaced: {found}")


def yes(_: str) -> bool:
    """Replace it."""
    return True


def card_of(hub: LocalHub, name: str) -> ModelCard:
    """The card as it now is on the Hub."""
    return ModelCard(hub.repos[name].commits[-1][1]["README.md"].decode())
