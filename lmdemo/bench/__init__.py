"""`python -m lmdemo bench`: how fast the loops are, and what the page costs over the bare work, each in one run.

It starts the real app in a process of its own and talks to it over HTTP as the page does. It needs the tools
of tests/requirements.txt. Nothing here is a pass or a fail; these are measurements, with their spread. One file
a subject; this one puts them together. With the default rounds it takes under three minutes where torch and gradio
are imported in three seconds; `--only speed` runs the loops a second time, under AVX2 alone where the processor has
more. The last line is all figures as JSON.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch

from lmdemo.bench.app import ROOT, running_app
from lmdemo.bench.avx2 import Narrower, has_more, measure_under_avx2
from lmdemo.bench.figures import figure
from lmdemo.bench.loading import CONFIG, Loading, measure_loading
from lmdemo.bench.shapes import measure_shapes, shapes_figures, shapes_report
from lmdemo.bench.speed import TOKENS, Speed, measure_speed
from lmdemo.bench.speed_report import speed_figures, speed_report
from lmdemo.bench.start import Start, measure_start
from lmdemo.bench.streaming import SETTINGS, Streaming, measure_streaming
from lmdemo.bench.written import readable, when, write
from lmdemo.checkpoint import load_checkpoint
from lmdemo.evaluation import Comparison
from lmdemo.lab import Lab
from lmdemo.machine import this_machine
from lmdemo.model import LSTMModel, ModelConfig
from lmdemo.shape import Shape
from lmdemo.shaping import ShapeRun
from lmdemo.text import Vocabulary
from lmdemo.timed import Interval

__all__ = [
    "ROOT",
    "Bench",
    "as_json",
    "figures",
    "measure_shapes",
    "readable",
    "report",
    "report_speed",
    "run",
    "run_speed",
    "run_under_avx2",
    "running_app",
    "write",
]

COMPARED = 10_000  # words of the bundled test text, at most


@dataclass(frozen=True)
class Bench:
    """What one run of the benchmark measured."""

    start: Start
    streaming: Streaming
    loading: Loading
    comparison: Comparison  # int8 against fp32 on the bundled test text


def run_speed(rounds: int) -> list[Speed]:
    """The contest of loops and peers, on the bundled model and on one of the tutorial's size with random weights."""
    torch.set_num_threads(1)  # as the app has it
    bundled = load_checkpoint()
    torch.manual_seed(0)
    model = LSTMModel.from_config(CONFIG).eval()
    made_up = Vocabulary([f"word{number}" for number in range(CONFIG.ntoken)])
    ids = torch.randint(CONFIG.ntoken, (TOKENS + 1,))
    return [
        measure_speed(
            _title("The bundled model", bundled.config), bundled.model, bundled.vocabulary, bundled.test_ids, rounds
        ),
        measure_speed(_title("The tutorial’s size, random weights", CONFIG), model, made_up, ids, rounds),
    ]


def report_speed(speeds: Sequence[Speed], shapes: Mapping[str, ShapeRun]) -> str:
    """The contests, and what became of shapes, as Markdown."""
    return "\n\n".join([_head(), *map(speed_report, speeds), shapes_report(shapes)])


def run_under_avx2(rounds: int) -> Narrower | None:
    """The contests once more with AVX2 alone, where this processor has more; else None.

    Raises:
        LmdemoError: the process failed.
    """
    return measure_under_avx2(rounds) if has_more() else None


def _title(what: str, config: ModelConfig) -> str:
    return f"{what}: {config.ntoken:,} words, LSTM {config.ninp}→{config.nhid} × {config.nlayers}"


def run(rounds: int) -> Bench:
    """Measure what the page costs, `rounds` pairs for each ratio.

    Raises:
        LmdemoError: a process did not start, or did not answer in time.
    """
    start = measure_start(rounds)
    loading = measure_loading(rounds)
    torch.set_num_threads(1)  # as the app has it
    lab = Lab(load_checkpoint())
    streaming = measure_streaming(lab, rounds)
    *_, comparison = lab.compare(min(COMPARED, lab.available_tokens))
    return Bench(start, streaming, loading, comparison)


def report(bench: Bench) -> str:
    """The measurements as Markdown."""
    comparison, speedup = bench.comparison, bench.comparison.speedup("int8")
    table = "\n".join(f"| {what} | {figure} |" for what, figure in _rows(bench))
    runs = (
        f"Medians of {bench.start.page_seconds.n} runs; evaluation: {speedup.n} blocks of"
        f" {comparison.tokens:,} words in all, window {comparison.window}."
    )
    return f"{_head()}\n\n| measured | |\n|---|---:|\n{table}\n\n{runs}"


def figures(speeds: Sequence[Speed], shapes: Mapping[str, ShapeRun], page: Bench) -> str:
    """A whole run as a section of a README: when and where, how fast, what the page costs."""
    return f"{when()}: {report_speed(speeds, shapes)}\n\n## What it costs\n\nIn the same run: {report(page)}\n"


def as_json(
    rounds: int,
    speeds: Sequence[Speed] = (),
    bench: Bench | None = None,
    narrower: Narrower | None = None,
    shapes: Mapping[str, ShapeRun] | None = None,
) -> str:
    """All figures in one line: seconds, bytes, words a second; an interval that there is not is null."""
    numbers: dict[str, object] = {"machine": asdict(this_machine()), "rounds": rounds}
    if speeds:
        numbers["speed"] = [speed_figures(speed) for speed in speeds]
    if shapes:
        numbers["shapes"] = shapes_figures(shapes)
    if narrower:
        numbers["under_avx2"] = narrower.figures
    if bench:
        comparison = bench.comparison
        numbers |= {name: asdict(getattr(bench, name)) for name in ("start", "streaming", "loading")}
        numbers["evaluation"] = {
            "window": comparison.window,
            "results": {name: asdict(result) for name, result in comparison.results.items()},
            "int8_speedup": comparison.speedup("int8"),
        }
    return json.dumps(_plain(numbers), ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> object:
    """`value` as JSON has it: a dataclass is an object, and NaN, where there is no interval, null."""
    if isinstance(value, Interval | Shape):
        value = asdict(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _head() -> str:
    machine = this_machine()
    return f"{machine.cpu} ({machine.capability}), torch {machine.torch}, {machine.engine}, {machine.threads} thread(s)"


def _rows(bench: Bench) -> list[tuple[str, str]]:
    start, streaming, loading = bench.start, bench.streaming, bench.loading
    imports, page = start.imports_seconds.median, start.page_seconds.median
    fp32, int8 = bench.comparison.results["fp32"], bench.comparison.results["int8"]
    idle = (streaming.idle_bytes - start.imports_bytes) / 1e6
    return [
        ("importing torch and gradio", f"{imports:.1f} s"),
        ("start to first page, beyond that", f"{page - imports:+.1f} s"),
        ("the same ÷ these imports", _ratio(start.beyond_imports)),
        ("the start with a Hub that refuses or never answers, in turns, ÷ with none", _ratio(start.with_hub)),
        ("idle memory beyond torch and gradio imported", f"{idle:+.0f} MB"),
        (f"{SETTINGS.words:,} words, both variants, without a page", f"{streaming.bare_seconds.median:.2f} s"),
        ("the same streamed through the page, ÷ without", _ratio(streaming.over_bare)),
        (
            f"a checkpoint of {loading.weight_bytes / 1e6:.1f} MB, from the Hub client's cache into both variants",
            f"{loading.seconds.median:.2f} s",
        ),
        ("the same ÷ reading the files and quantizing alone", _ratio(loading.over_bare)),
        ("its peak memory ÷ the fp32 weights", _ratio(loading.peak)),
        ("evaluation, int8 ÷ fp32 speed", _ratio(bench.comparison.speedup("int8"))),
        ("evaluation, loss fp32 and int8", f"{fp32.loss:.4f} and {int8.loss:.4f} nats a word"),
    ]


def _ratio(value: Interval) -> str:
    return figure(value, level="95% ")
