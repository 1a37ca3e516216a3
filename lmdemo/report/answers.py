"""Results as the endpoints answer them: plain JSON, with null for what is not measured yet, or cannot be told."""

import math
from collections.abc import Iterable

from lmdemo.bit_costs import Cost
from lmdemo.evaluation import Comparison
from lmdemo.fidelity import Fidelity
from lmdemo.generation import Generation
from lmdemo.inspecting import Inspection
from lmdemo.latency import Latencies
from lmdemo.measured import Evaluation
from lmdemo.measured_text import doubt
from lmdemo.own_text import TextReading
from lmdemo.report import prose, shapes
from lmdemo.shaping import ShapeRun
from lmdemo.simulation import ROUNDED, Simulated
from lmdemo.text import detokenize, shown
from lmdemo.variants import BASELINE, FAIR

MOST_UNKNOWN = 10  # words outside the vocabulary that are named


def generation(generation: Generation, model: str = "") -> dict:
    """The texts, and where they part; `model` is the fingerprint of the checkpoint that wrote them."""
    answer: dict = {
        name: {
            "text": detokenize([shown(word) for word in (*generation.prompt, *writing.words)]),
            "words": [shown(word) for word in writing.words],
            "seconds": writing.seconds,
            "words_per_second": writing.words_per_second,
            "choices": [
                {"position": position, "word": shown(word)} for position, word in generation.choices(name).items()
            ],
            "model": model,
        }
        for name, writing in generation.writings.items()
    }
    answer["first_difference"] = generation.first_difference
    return answer


def inspection(inspection: Inspection) -> dict:
    """A place of a text."""
    return {
        "written": shown(inspection.written),
        "chosen": {name: shown(word) for name, word in inspection.chosen.items()},
        "kl": dict(inspection.kl),
        "words": [
            {
                "word": shown(candidate.word),
                "noise": candidate.noise,
                "probability": dict(candidate.probabilities),
                "score": {name: _number(score) for name, score in candidate.scores.items()},
            }
            for candidate in inspection.candidates
        ],
    }


def evaluation(evaluation: Evaluation) -> list[dict]:
    """A row for every variant."""
    comparison, run = evaluation.comparison, evaluation.fidelity
    doubts = prose.doubts(evaluation) if comparison.final else None
    return [
        {
            "variant": name,
            "loss": result.loss,
            "perplexity": result.perplexity,
            "tokens": result.tokens,
            "seconds": result.seconds,
            "tokens_per_second": result.tokens_per_second,
            "speedup": comparison.speedup(name).median,
            "speedup_interval": _numbers(comparison.speedup(name).low, comparison.speedup(name).high),
            "writing": _writing(evaluation.writing, name) if evaluation.writing else None,
            "memory": evaluation.held[name].total if name in evaluation.held else None,
            "fidelity": _fidelity(run.results[name]) if run and run.final else None,
            "doubts": doubts,
        }
        for name, result in comparison.results.items()
    ]


def reading(found: TextReading) -> dict:
    """A text of somebody's own, word by word."""
    text = found.text
    return {
        "variants": evaluation(found.evaluation),
        "words": [shown(word) for word in text.words],
        "losses": {name: _short(each.losses) for name, each in found.words.items()},
        "kl": {name: _short(each.kl) for name, each in found.words.items()},
        "unknown_share": text.unknown_share,
        "unknown": {shown(word): text.unknown[word] for word in list(text.unknown)[:MOST_UNKNOWN]},
        "doubt": doubt(text.unknown_share, "the text"),
    }


def simulated(found: Simulated) -> dict:
    """A model rounded to few bits; nothing of its speed, which is fp32's."""
    written = generation(found.generation)
    rounding, costs = found.rounding, found.costs
    return {
        **{name: {key: written[name][key] for key in ("text", "words", "choices")} for name in (BASELINE, ROUNDED)},
        "first_difference": written["first_difference"],
        "cost": _cost(found.cost) if found.cost else None,
        "curves": {
            name: [{"bits": cost.rounding.bits, **_cost(cost)} for cost in (costs.curve(per_row) if costs else ())]
            for name, per_row in (("tensor", False), ("row", True))
        },
        "alone": [
            {"matrix": cost.rounding.matrices[0], **_cost(cost)}
            for cost in (costs.ranked(rounding.bits, rounding.per_row) if costs else ())
        ],
    }


def shape(run: ShapeRun) -> dict:
    """A shape that was made up and measured; of a packed variant the file is that of its modules."""
    sentence, _ = shapes.verdict(run)
    return {
        "parameters": run.shape.parameters,
        "variants": [
            {
                "variant": name,
                "bytes": size.total if size else None,
                "modules": dict(size.modules) if size else None,
                "writing": _timed(run.writing, name) if run.final else None,
                "reading": _timed(run.reading, name) if run.final else None,
            }
            for name, size in ((name, run.sizes.get(name.removesuffix("-packed"))) for name in run.variants)
        ],
        "sentence": sentence or None,
        "doubts": shapes.doubts(run) if run.final else None,
    }


def _timed(timed: Latencies | Comparison, name: str) -> dict:
    speed, speedup = timed.speed(name), timed.speedup(name, over=FAIR)
    return {
        "words_per_second": speed.median,
        "interval": _numbers(speed.low, speed.high),
        "speedup": speedup.median,
        "speedup_interval": _numbers(speedup.low, speedup.high),
    }


def _cost(cost: Cost) -> dict:
    return {
        "perplexity": cost.perplexity,
        "kl": cost.kl,
        "bytes_saved": cost.saved,
        "fp32_bytes": cost.fp32_bytes,
        "tokens": cost.tokens,
        "fp32_perplexity": cost.fp32_perplexity,
    }


def _writing(measured: Latencies, name: str) -> dict:
    speedup = measured.speedup(name)
    return {
        "words_per_second": measured.speed(name).median,
        "speedup": speedup.median,
        "speedup_interval": _numbers(speedup.low, speedup.high),
    }


def _fidelity(found: Fidelity) -> dict:
    figures = {"perplexity_change": found.perplexity_change, "kl": found.kl, "same_top_word": found.top_1}
    return {
        name: {"value": figure.value, "interval": _numbers(figure.low, figure.high)} for name, figure in figures.items()
    }


def _short(values: Iterable[float]) -> list[float]:
    """Numbers with as many digits as they were computed with, in single precision."""
    return [float(f"{value:.6g}") for value in values]


def _number(value: float) -> float | None:
    """A number that JSON has."""
    return value if math.isfinite(value) else None


def _numbers(low: float, high: float) -> list[float] | None:
    """An interval; none where it was too little for one, which is NaN, and JSON has no NaN."""
    return None if math.isnan(low) else [low, high]
