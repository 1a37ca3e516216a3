"""What the buttons hand out: an evaluation as JSON, as CSV and as Markdown tables; sizes and weights as CSV.

What a tab hands out is one JSON object, kind -> text, for the page to keep.
"""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields

from lmdemo.held import Held
from lmdemo.latency import Latencies
from lmdemo.measured import Evaluation
from lmdemo.measured_text import doubt
from lmdemo.report import prose, ship, tables
from lmdemo.size import Size
from lmdemo.variants import QuantizedWeight


def payload(evaluation: Evaluation | None) -> str:
    """An evaluation in its three kinds; empty until everything has been measured."""
    if evaluation is None or not evaluation.final:
        return ""
    texts = {"json": as_json(evaluation), "csv": as_csv(evaluation), "markdown": as_markdown(evaluation)}
    return json.dumps(texts, ensure_ascii=False)


def sizes(measured: Mapping[str, Size]) -> str:
    """The sizes of every variant, in bytes, as CSV."""
    rows = [
        {
            "variant": name,
            "bytes": size.total,
            **_flat(size.modules, "bytes_"),
            "bytes_shared": size.shared,  # in the embedding's and the decoder's both
            "ratio": size.ratio,
        }
        for name, size in measured.items()
    ]
    return json.dumps({"csv": _csv(rows)})


def weights(quantized: Sequence[QuantizedWeight]) -> str:
    """Scale, zero point and range of every quantized weight, unrounded, as CSV."""
    rows = [asdict(weight) | {"shape": "x".join(map(str, weight.shape))} for weight in quantized]
    return json.dumps({"csv": _csv(rows)})


def as_json(evaluation: Evaluation) -> str:
    """Everything that was measured, unrounded, with the machine, the settings and the seed of the order of turns."""
    comparison = evaluation.comparison
    content = {
        **settings(evaluation),
        "interference": asdict(comparison.interference),
        "interference_in_writing": asdict(evaluation.writing.interference) if evaluation.writing else None,
        "variants": {name: _variant(evaluation, name) for name in comparison.results},
        "blocks": {
            "tokens": list(comparison.block_tokens),
            "seconds": {name: list(seconds) for name, seconds in comparison.block_seconds.items()},
        },
    }
    return json.dumps(_plain(content), indent=2, ensure_ascii=False) + "\n"


def as_csv(evaluation: Evaluation) -> str:
    """A row a variant, with the settings and the machine in each; passages and the course of KL are in the JSON."""
    common = _flat(settings(evaluation))
    rows = {name: _flat(_variant(evaluation, name)) for name in evaluation.comparison.results}
    return _csv(
        [
            {"variant": name, **{key: cell for key, cell in row.items() if not isinstance(cell, tuple)}, **common}
            for name, row in rows.items()
        ]
    )


def as_markdown(evaluation: Evaluation) -> str:
    """The card and its warnings, the tables of the page, and a line with what they depend on."""
    comparison, machine = evaluation.comparison, evaluation.machine
    parts = [ship.markdown(evaluation), doubt(evaluation.unknown_share), prose.doubts(evaluation)]
    parts.append(_markdown_table(tables.result_rows(evaluation)))
    if evaluation.writing:
        parts.append(f"Writing, a word at a time:\n\n{_markdown_table(tables.writing_rows(evaluation.writing))}")
    if evaluation.fidelity and len(evaluation.fidelity.results) > 1:
        parts.append(_markdown_table(tables.fidelity_rows(evaluation.fidelity)))
    blocks = len(comparison.block_tokens)
    parts.append(
        f"{comparison.tokens:,} words in windows of {comparison.window}, {blocks} blocks in turns, medians with 95%"
        f" intervals. What is not speed is of this text alone. {prose.machine_line(machine)}."
    )
    return "\n\n".join(filter(None, parts)) + "\n"


def settings(evaluation: Evaluation) -> dict[str, object]:
    """What the figures depend on."""
    return {
        "checkpoint": evaluation.checkpoint,
        "revision": evaluation.revision,
        "tokens": evaluation.comparison.tokens,
        "window": evaluation.comparison.window,
        "unknown_share": evaluation.unknown_share,
        "baseline": evaluation.comparison.baseline,
        "order_seed": evaluation.comparison.order_seed,
        "machine": asdict(evaluation.machine),
        "doubts": prose.doubts(evaluation),
    }


def _variant(evaluation: Evaluation, name: str) -> dict[str, object]:
    comparison, run = evaluation.comparison, evaluation.fidelity
    result = comparison.results[name]
    return {
        "loss": result.loss,
        "perplexity": result.perplexity,
        "seconds": result.seconds,
        "words_per_second": asdict(comparison.speed(name)),
        "speedup": asdict(comparison.speedup(name)),
        "writing": _writing(evaluation.writing, name) if evaluation.writing else None,
        "memory": _memory(evaluation.held.get(name)),
        "limit": asdict(evaluation.limits[name]) if name in evaluation.limits else None,
        "fidelity": asdict(run.results[name]) if run and name in run.results else None,
    }


def _memory(found: Held | None) -> dict[str, int | None]:
    """The bytes that a variant holds, and of what; nothing where the system does not tell."""
    parts = asdict(found) if found else dict.fromkeys(field.name for field in fields(Held))
    return {"bytes": found.total if found else None, **{f"bytes_{name}": part for name, part in parts.items()}}


def _writing(measured: Latencies, name: str) -> dict[str, object]:
    return {
        "words_per_second": asdict(measured.speed(name)),
        "speedup": asdict(measured.speedup(name)),
        "seconds_a_word": {"median": measured.percentile(name, 50), "percentile_95": measured.percentile(name, 95)},
    }


def _flat(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested values under joined names, one cell each."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}_")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _csv(rows: Sequence[Mapping[str, object]]) -> str:
    """A line a row under the last row's names: it has them all, where the first lacks what is relative to it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[-1]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """The same; text that a spreadsheet would take for a formula with an apostrophe before it, which makes it text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(tuple("=+-@\t\r")) else value


def _plain(value: object) -> object:
    """The same without NaN, which JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _markdown_table(rows: Mapping[str, Mapping[str, str]]) -> str:
    columns = list(next(iter(rows.values())))
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    lines += [
        f"| {name} | " + " | ".join(row.get(column, "") for column in columns) + " |" for name, row in rows.items()
    ]
    return "\n".join(lines)
