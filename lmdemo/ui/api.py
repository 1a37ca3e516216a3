"""The endpoints: plain JSON, typed, with stable names. They compute what the tabs compute."""

from collections.abc import Callable, Iterator

import gradio as gr

from lmdemo import jobs
from lmdemo.errors import LmdemoError
from lmdemo.evaluation import Comparison
from lmdemo.generation import Generation, GenerationSettings
from lmdemo.jobs import Job
from lmdemo.service import Service
from lmdemo.text import detokenize
from lmdemo.ui.stream import TURN, Snapshot, job


def build(service: Service) -> None:
    """Add /generate, /sizes and /evaluate to the page being built."""

    def generate(prompt: str, words: int = 100, temperature: float = 1.0, top_k: int = 0, seed: int = 1) -> dict:
        """Let fp32 and int8 write on from a prompt, with the same noise at the same position.

        Args:
            prompt: Text to go on from; empty starts a paragraph.
            words: How many words each writes, 1 to 1000.
            temperature: 0 (greedy) to 5.
            top_k: Choose among the k likeliest words, 1 to 1000; 0 is all.
            seed: 0 to 4294967295; the same seed on the same machine gives the same texts.

        Returns:
            Per variant its text, words, seconds and words_per_second; and first_difference, the position
            (from 0) of the first word that differs, or null.
        """
        return _generation(
            _last(
                service,
                job("api/generate", prompt=prompt, words=words, temperature=temperature, top_k=top_k, seed=seed),
                lambda: service.lab.generate(GenerationSettings(prompt, words, temperature, top_k, seed)),
            )
        )

    def sizes() -> list:
        """The serialized size of every variant.

        Returns:
            Per variant the bytes torch.save writes for it, the bytes of each module saved alone, and the
            ratio of its bytes to those of fp32.
        """
        return [
            {"variant": name, "bytes": size.total, "modules": dict(size.modules), "ratio": size.ratio}
            for name, size in service.lab.sizes.items()
        ]

    def evaluate(tokens: int = 2000, window: int = 25) -> list:
        """Loss and speed of fp32 and int8 on the first words of the test text, measured in turns.

        Args:
            tokens: How many words to predict, 100 to 20000 or what the test text has.
            window: Words read in one call, 1 to 1000.

        Returns:
            Per variant loss (nats a word), perplexity, tokens, seconds, tokens_per_second, and speedup, the
            median over blocks of fp32's seconds divided by its own.
        """
        asked = job("api/evaluate", tokens=tokens, window=window)
        return _comparison(_last(service, asked, lambda: service.lab.compare(tokens, window)))

    gr.api(generate, api_name="generate", **TURN)
    gr.api(sizes, api_name="sizes", concurrency_limit=None)
    gr.api(evaluate, api_name="evaluate", **TURN)


def _last(service: Service, asked: Job, start: Callable[[], Iterator[Snapshot]]) -> Snapshot:
    """The final snapshot of a run; what keeps it from its end becomes an answer of one sentence."""
    try:
        *_, last = jobs.run(asked, start, service.longest)
    except LmdemoError as error:
        raise gr.Error(str(error), print_exception=False) from error
    return last


def _generation(generation: Generation) -> dict:
    answer: dict = {
        name: {
            "text": detokenize([*generation.prompt, *writing.words]),
            "words": list(writing.words),
            "seconds": writing.seconds,
            "words_per_second": writing.words_per_second,
        }
        for name, writing in generation.writings.items()
    }
    answer["first_difference"] = generation.first_difference
    return answer


def _comparison(comparison: Comparison) -> list[dict]:
    return [
        {
            "variant": name,
            "loss": result.loss,
            "perplexity": result.perplexity,
            "tokens": result.tokens,
            "seconds": result.seconds,
            "tokens_per_second": result.tokens_per_second,
            "speedup": comparison.speedup(name).median,
        }
        for name, result in comparison.results.items()
    ]
