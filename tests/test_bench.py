"""The benchmark runs, and its report carries what it measured."""

import re

from lmdemo import bench


def test_the_benchmark_measures_the_real_app() -> None:
    measured = bench.run(rounds=1)
    assert measured.page_seconds.median > 0.5 * measured.imports_seconds.median  # a single pair is noisy
    assert measured.idle_bytes > measured.imports_bytes > 50e6
    assert measured.streaming.median > 0.3  # streaming does the same work and more; a single pair is noisy
    assert measured.comparison.final
    report = bench.report(measured)
    assert re.search(r"\| the same streamed through the page, ÷ without \| \d\.\d\d \(", report)
    assert re.search(r"\| evaluation, int8 ÷ fp32 speed \| \d\.\d\d \(95 % \d", report)
