"""The kernels on smaller processors, and in bounds: their own tests once more, with one library for all."""

from pathlib import Path

import test_fp32lm as fp32
import test_int8lm as int8
import test_noise_kernel as noise

from processors import run_on_each, run_under_sanitizers

SHAPES = [
    int8.test_any_shape_and_window_is_read_as_stock_reads_it,
    fp32.test_any_shape_and_window_is_read_as_fp32_reads_it,
]


def test_they_are_as_exact_on_smaller_processors(tmp_path: Path) -> None:
    """Torch computes as on AVX2 there, and the C is built without what such a processor lacks.

    A word that is written is a window of one that is read: the same C, on the bundled model in the losses.
    """
    picks = [noise.test_its_bits_are_numpys, noise.test_every_pick_is_numpys]
    sums = [int8.test_sums_at_the_edge_of_16_bits_are_exact, int8.test_the_peak_is_measured_with_all_products]
    run_on_each([*SHAPES, *picks, *sums, int8.test_its_loss_is_stock_int8s], tmp_path)


def test_they_stay_in_bounds(tmp_path: Path) -> None:
    tests = [
        test
        for kernel in (int8, fp32)
        for test in (kernel.test_what_is_no_number_stays_in_bounds, kernel.test_what_the_kernel_cannot_check_is_refused)
    ]
    tests += [noise.test_its_bits_are_numpys, noise.test_every_pick_is_numpys]
    tests += [noise.test_scores_beyond_reason_stay_in_bounds, noise.test_what_the_kernel_cannot_check_is_refused]
    run_under_sanitizers(
        [
            *SHAPES,
            int8.test_extreme_activations_are_those_of_stock,
            int8.test_the_peak_is_measured_with_all_products,
            *tests,
        ],
        tmp_path,
    )
