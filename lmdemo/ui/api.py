"""The endpoints: plain JSON, typed, with stable names. They compute what the tabs compute, and stream it.

Each answer of /generate and /evaluate is a snapshot in the shape of the last one: who takes the last only misses
nothing. A generator is also what can be ended: a client that leaves in the middle leaves nothing running.
"""

from collections.abc import Iterator

import gradio as gr

from lmdemo.errors import LmdemoError
from lmdemo.generation import Generation, GenerationSettings
from lmdemo.inference import Pause
from lmdemo.inspecting import Inspection
from lmdemo.measured import Evaluation
from lmdemo.own_text import TextReading
from lmdemo.report import answers
from lmdemo.rounding import MATRICES, Rounding
from lmdemo.server.service import Service
from lmdemo.shape import Shape
from lmdemo.shaping import ShapeRun
from lmdemo.simulation import Simulated
from lmdemo.ui.events import CHART_INTERVAL, TEXT_INTERVAL, TURN, Snapshot, throttled
from lmdemo.variants import TUTORIAL


def build(service: Service) -> None:
    """Add /generate, /sizes, /evaluate, /inspect, /text, /bits and /shape to the page being built."""
    endpoints = Endpoints(service)
    gr.api(endpoints.generate_texts, api_name="generate", **TURN)
    gr.api(endpoints.list_sizes, api_name="sizes", concurrency_limit=None)
    gr.api(endpoints.evaluate_loss_and_speed, api_name="evaluate", **TURN)
    gr.api(endpoints.inspect_choice, api_name="inspect", **TURN)
    gr.api(endpoints.read_text, api_name="text", **TURN)
    gr.api(endpoints.round_to_bits, api_name="bits", **TURN)
    gr.api(endpoints.measure_shape, api_name="shape", **TURN)


class Endpoints:
    """The endpoints over a service. An agent reads their docstrings as what its tools do: an argument on a line."""

    def __init__(self, service: Service) -> None:
        """Nothing is computed yet."""
        self._service = service

    def generate_texts(
        self, prompt: str, words: int = 100, temperature: float = 1.0, top_k: int = 0, seed: int = 1
    ) -> Iterator[dict]:
        """Let an LSTM word language model and its int8 quantization write on from a prompt, with the same noise.

        The answer has, for fp32 and for int8, its text, words, seconds, words_per_second; choices: the positions from 0
        at which it, put along fp32's words, chooses another word, each with that word (position, word), for fp32 none;
        and model, which tells the model that wrote it from others. And first_difference, the position of the first word
        at which the texts differ, or null. What differs after it in the texts only follows from it; the choices are
        what quantization did.

        Args:
            prompt: Text to go on from; empty starts a paragraph; at most 2000 characters.
            words: How many words each writes, 1 to 1000.
            temperature: 0 (greedy) to 5; logits are divided by it.
            top_k: Choose among the k likeliest words, 1 to 1000; 0, the default, is all.
            seed: 0 to 4294967295; the same seed on the same machine gives the same texts.
        """
        asked = {"prompt": prompt, "words": words, "temperature": temperature, "top_k": top_k, "seed": seed}
        lab = self._service.lab

        def start(pause: Pause, **fields: object) -> Iterator[Generation]:
            return lab.generate(GenerationSettings(**fields), pause=pause)

        for snapshot in _paced(self._service.run("api/generate", start, **asked), TEXT_INTERVAL):
            yield answers.generation(snapshot, lab.checkpoint.fingerprint)

    def list_sizes(self) -> list:
        """The serialized size of an LSTM word language model and of every quantized variant of it.

        The answer has a row for every variant: bytes, what torch.save writes for it; modules, the bytes of each module
        saved alone, a matrix that encoder and decoder share in both; ratio, its bytes divided by those of fp32.
        """
        return [
            {"variant": name, "bytes": size.total, "modules": dict(size.modules), "ratio": size.ratio}
            for name, size in self._service.lab.sizes.items()
        ]

    def evaluate_loss_and_speed(self, tokens: int = 2000, window: int = 25) -> Iterator[list]:
        """Measure loss and speed of an LSTM word language model and its int8 quantization on a test text, in turns.

        The answer has a row for fp32 and one for int8: loss (nats a word), perplexity, tokens, seconds,
        tokens_per_second, speedup, the median over blocks of fp32's seconds divided by its own, and speedup_interval,
        its 95 % interval; writing, the like of words that are written one at a time; memory, the bytes that its weights
        hold in the server's process, copies that it makes of them included; then fidelity, how far its predictions are
        from fp32's on this text, each with a 95 % interval: perplexity_change, a share, kl, nats a word, and
        same_top_word, a share. doubts says why the timing may be wrong; it is empty if nothing speaks against it. What
        is not measured yet, or cannot be, is null.

        Args:
            tokens: How many words to predict, from the first of the text on, 100 to 20000 or what the text has.
            window: Words read in one call, 1 to 1000.
        """
        run = self._service.run("api/evaluate", self._evaluate, tokens=tokens, window=window)
        for snapshot in _paced(run, CHART_INTERVAL):
            yield answers.evaluation(snapshot)

    def inspect_choice(
        self,
        prompt: str,
        words: list[str],
        position: int,
        temperature: float = 1.0,
        top_k: int = 0,
        seed: int = 1,
        model: str = "",
    ) -> Iterator[dict]:
        """Tell what an LSTM word language model and its int8 quantization thought at one place of a written text.

        The answer has written, the word there; chosen, the word that fp32 chooses there and that int8 does, put along
        this text; kl, for int8, the Kullback-Leibler divergence of its distribution from fp32's there, in nats, of all
        words and at temperature 1; and words, a row for each of the ten words likeliest to fp32 and for what is chosen
        beside them: word, noise, the random number that it met with both, and by model probability and score, logit /
        temperature + noise, the greatest of which wins. Probabilities are at the temperature and of the top k, as words
        are drawn; at temperature 0 they are at temperature 1 and of all words, and noise is null. A score is null where
        a word is not among the top k.

        Args:
            prompt: The prompt of the run, as it was asked for.
            words: The words of a text that was written, as fp32's words in the answer of generate; a list, 1 to 1000.
            position: The place in them, from 0.
            temperature: Of the run, 0 to 5.
            top_k: Of the run, 0 to 1000.
            seed: Of the run, 0 to 4294967295.
            model: As the answer of generate has it; of another model's text there is nothing to tell. Empty: any.
        """
        asked = {"prompt": prompt, "temperature": temperature, "top_k": top_k, "seed": seed}
        run = self._service.run("api/inspect", self._inspect, **asked, words=words, position=position, model=model)
        for inspection in _paced(run, TEXT_INTERVAL):
            yield answers.inspection(inspection)

    def read_text(self, text: str) -> Iterator[dict]:
        """Measure an LSTM word language model and its int8 quantization on a text of your own, word by word.

        Nothing of the text is stored or logged. The answer has variants, a row for fp32 and one for int8 as the answer
        of evaluate has them; words, the text as the model has it, <eos> between its lines; losses, by model, the loss
        at each of the words, in nats; kl, by model, the Kullback-Leibler divergence of its distribution from fp32's at
        each of them; unknown_share, the share of words that the vocabulary does not have; unknown, how often the ten
        most frequent of them stand in the text; and doubt, a sentence if they are too many, else empty. losses and kl
        come with the last answer and are empty before.

        Args:
            text: Two words or more that the model knows, at most 20000 characters.
        """
        for snapshot in _paced(self._service.run("api/text", self._read_text, text=text), CHART_INTERVAL):
            yield answers.reading(snapshot)

    def round_to_bits(
        self,
        bits: int,
        per_row: bool = False,
        matrices: list[str] = MATRICES,
        prompt: str = "",
        words: int = 80,
        temperature: float = 1.0,
        top_k: int = 0,
        seed: int = 1,
    ) -> Iterator[dict]:
        """Round the weights of an LSTM word language model to few bits, and tell what that does to it.

        It is a simulation: weights are rounded, all else stays in fp32, so it tells nothing of speed. The answer has,
        for fp32 and for rounded, text, words and choices, as the answer of generate; first_difference; then cost:
        perplexity and kl, the Kullback-Leibler divergence from fp32 in nats a word, on so many tokens of the test text,
        where fp32 has fp32_perplexity; bytes_saved, by which the weights would shrink, of fp32_bytes. curves has the
        same of all matrices rounded, a list for one scale a tensor and one for one a row, by bits; alone that of one
        matrix rounded as asked, the one that hurts most first. Both grow while they are measured behind the app. cost
        is null until it is known.

        Args:
            bits: Of a weight, 2 to 8.
            per_row: false for one scale a matrix, true for one a row of it.
            matrices: Which are rounded; a list of one or more of embedding, LSTM, decoder.
            prompt: Text to go on from; empty starts a paragraph; at most 2000 characters.
            words: How many words each writes, 1 to 1000.
            temperature: 0 (greedy) to 5; logits are divided by it.
            top_k: Choose among the k likeliest words, 1 to 1000; 0, the default, is all.
            seed: 0 to 4294967295; fp32 and rounded meet the same noise.
        """
        asked = {"prompt": prompt, "words": words, "temperature": temperature, "top_k": top_k, "seed": seed}
        rounding = {"bits": bits, "per_row": per_row, "matrices": matrices}
        for snapshot in _paced(self._service.run("api/bits", self._round, **rounding, **asked), TEXT_INTERVAL):
            yield answers.simulated(snapshot)

    def measure_shape(
        self, ntoken: int, ninp: int, nhid: int, nlayers: int, window: int = 25, tied: bool = False
    ) -> Iterator[dict]:
        """Make up an LSTM word language model of a shape, quantize it, and measure bytes and speed here and now.

        Bytes and speed depend on the shape, not on the weights, which are random. The answer has parameters, how many
        there are; variants, a row for fp32, fp32-packed (the same weights laid out for this CPU), int8
        (quantize_dynamic) and int8-packed: bytes, what torch.save writes, and modules, what each module adds to that;
        writing, of words one at a time, and reading, of words a window at a time, each with words_per_second, its
        interval, and speedup, how many times as fast as fp32-packed, with speedup_interval (95 %); then sentence,
        whether int8 pays; and doubts, why the timing may be wrong, empty if nothing speaks against it. What is not
        measured yet is null. At most 160 MB of fp32 weights are built.

        Args:
            ntoken: Words in the vocabulary, 2 to 300000.
            ninp: Width of a word's embedding, 1 to 4096.
            nhid: Width of a hidden state, 1 to 4096.
            nlayers: Stacked LSTM layers, 1 to 16.
            window: Words read in one call, 1 to 1000.
            tied: Whether embedding and decoder are one matrix, which needs ninp equal to nhid.
        """
        asked = {"ntoken": ntoken, "ninp": ninp, "nhid": nhid, "nlayers": nlayers, "window": window, "tied": tied}
        for run in _paced(self._service.run("api/shape", self._shape, **asked), CHART_INTERVAL):
            yield answers.shape(run)

    def _shape(self, pause: Pause, **fields: object) -> Iterator[ShapeRun]:
        return self._service.lab.measure_shape(Shape(**fields), pause)

    def _round(
        self, pause: Pause, bits: object, per_row: object, matrices: object, **fields: object
    ) -> Iterator[Simulated]:
        simulation = self._service.lab.simulation
        simulation.start()
        return simulation.run(GenerationSettings(**fields), Rounding(bits, per_row, matrices), pause=pause)

    def _read_text(self, text: object, pause: Pause) -> Iterator[TextReading]:
        return self._service.lab.read_text(text, TUTORIAL, pause)

    def _inspect(
        self, pause: Pause, words: object, position: object, model: object, **fields: object
    ) -> Iterator[Inspection]:
        settings = GenerationSettings(**fields)
        return self._service.lab.inspect(settings, words, position, TUTORIAL, pause, fingerprint=model)

    def _evaluate(self, tokens: object, window: object, pause: Pause) -> Iterator[Evaluation]:
        return self._service.lab.evaluate(tokens, window, TUTORIAL, pause)


def _paced(run: Iterator[Snapshot], interval: float) -> Iterator[Snapshot]:
    """A run, paced as for the page; what keeps it from its end becomes an answer of one sentence."""
    try:
        yield from throttled(run, interval)
    except LmdemoError as error:
        raise gr.Error(str(error), print_exception=False) from error
