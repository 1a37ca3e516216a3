"""The benchmark runs, and its report carries what it measured."""

import re

import pytest

from lmdemo import bench
from lmdemo.bench import loading
from lmdemo.errors import LmdemoError


def test_the_benchmark_measures_the_real_app() -> None:
    measured = bench.run(rounds=1)
    start, streaming, loaded = measured.start, measured.streaming, measured.loading
    assert start.page_seconds.median > 0.5 * start.imports_seconds.median  # a single pair is noisy
    assert start.with_hub.keys() == {"refusing", "silent"}
    assert max(ratio.median for ratio in start.with_hub.values()) < 2
    assert streaming.idle_bytes > start.imports_bytes > 50e6
    assert streaming.over_bare.median > 0.3  # streaming does the same work and more; a single pair is noisy
    assert 0.8 < loaded.over_bare.median < 5
    assert 1 < loaded.peak.median < 2.2
    assert measured.comparison.final
    report = bench.report(measured)
    assert re.search(r"\| the same streamed through the page, ÷ without \| \d\.\d\d \|", report)
    assert re.search(r"\| its peak memory ÷ the fp32 weights \| 1\.\d\d \|", report)
    assert re.search(r"\| evaluation, int8 ÷ fp32 speed \| \d\.\d\d \(95 % \d", report)


def test_a_process_of_the_benchmark_that_fails_is_named() -> None:
    with pytest.raises(LmdemoError, match=r"^A process of the benchmark failed: .*HF_HUB_OFFLINE is set"):
        loading._in_a_process("load_here('bench/none')", home="no/such/folder")
