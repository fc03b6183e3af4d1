"""Where systems that learn went wrong, by experience: each has tests here, named after what they protect."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

TRAPS = {
    21: ("squared error of (N,) against (N, 1)", {
        "nn/test_losses.py": "test_mse_of_a_column_against_a_row_raises",
        "nn/test_targets.py": "test_a_column_against_a_row_raises",
    }),
    29: ("sigmoid, softmax and cross-entropy far out in float32", {
        "ops/test_activations.py": "test_finite_at_ten_thousand test_probabilities_sum_to_one",
        "nn/test_losses.py": "test_losses_are_finite_far_out",
    }),
    30: ("targets out of range, ignored, one-hot and soft", {
        "nn/test_losses.py": "test_class_numbers_out_of_range_raise test_rows_left_out_leak_nothing "
        "test_class_numbers_one_hot_and_soft_targets_agree",
    }),
    31: ("what padding counts as in pooling; windows outside the input", {
        "ops/test_pooling.py": "test_each_window_written_out test_what_is_refused "
        "test_a_window_that_lies_in_the_padding_has_no_slope",
        "nn/test_images.py": "test_padding_is_less_than_all_numbers_and_means_say_whether_it_counts",
    }),
    32: ("batch normalization's biased and unbiased variance", {
        "nn/test_images.py": "test_batch_statistics_of_images test_what_is_refused",
        "nn/test_normalization.py": "test_running_statistics_track_the_unbiased_variance test_what_it_refuses "
        "test_evaluation_uses_the_running_statistics_and_writes_nothing",
    }),
    33: ("dropout: inverted, p = 1, one mask", {
        "nn/test_images.py": "test_dropout_of_channels_drops_the_same_on_every_way_back",
        "nn/test_recurrence.py": "test_dropout_is_between_layers_and_in_training_alone",
        "nn/test_attention.py": "test_dropout_of_weights",
        "nn/test_dropout.py": "test_what_is_kept_is_scaled_so_that_the_mean_stays test_in_evaluation_it_is_the_identity "
        "test_p_1_gives_zeros_and_zero_gradients test_the_gradient_has_the_mask_of_the_output_each_time",
    }),
    34: ("weight decay, epsilon, the first momentum", {
        "optim/test_optimizer.py": "test_one_step_by_hand test_momentum_nesterov_and_decay_by_hand",
    }),
    35: ("parameters given twice, none, or replaced", {
        "optim/test_optimizer.py": "test_what_an_optimizer_refuses test_a_parameter_that_was_replaced_is_noticed",
    }),
    36: ("state that shares arrays; tied weights", {
        "nn/test_state.py": "test_state_is_copied_both_ways test_tied_weights_stay_tied",
        "optim/test_optimizer.py": "test_state_is_copied_both_ways",
    }),
    37: ("a state that does not fit", {
        "nn/test_state.py": "test_a_state_that_does_not_fit_changes_nothing_and_names_every_fault",
        "optim/test_optimizer.py": "test_a_state_that_does_not_fit_changes_nothing",
    }),
    38: ("resumed equals uninterrupted", {
        "train/test_trainer.py": "test_resumed_equals_uninterrupted_at_any_step "
        "test_wherever_ctrl_c_strikes_training_goes_on_as_if_it_had_not",
        "optim/test_optimizer.py": "test_resuming_equals_going_on",
    }),
    39: ("clipping by norms that are not finite, or negative", {
        "nn/test_utils.py": "test_a_norm_that_is_not_finite_can_raise test_what_they_refuse",
    }),
    40: ("unpickling", {
        "train/test_checkpoint.py": "test_other_versions_and_other_programs_are_told_apart test_what_cannot_be_written_is_named",
    }),
    41: ("a save that is interrupted", {
        "train/test_checkpoint.py": "test_a_file_cut_at_any_byte_is_refused_and_nothing_is_loaded "
        "test_a_save_that_fails_at_any_moment_leaves_the_old_file",
    }),
    42: ("NaN in training", {
        "engine/test_anomaly.py": "test_an_anomaly_names_the_operation_and_the_line_that_made_a_nan",
        "train/test_trainer.py": "test_nan_is_an_error_or_an_end",
    }),
    43: ("tensors that become arrays unseen; dead attributes", {
        "engine/test_protocols.py": "test_turning_a_recorded_tensor_into_an_array_unseen_raises_with_the_cure "
        "test_what_stores_in_an_array_without_an_assignment_is_refused",
        "nn/test_module.py": "test_an_unknown_attribute_names_the_near_ones",
        "optim/test_optimizer.py": "test_settings_are_where_they_are",
    }),
}  # fmt: skip
"""What went wrong, and the tests by their page; the numbers are those by which tests refer to it."""


@pytest.mark.parametrize("trap", TRAPS)
def test_what_went_wrong_elsewhere_is_tested_here(trap):
    what, tests = TRAPS[trap]
    for page, names in tests.items():
        text = (TESTS / page).read_text(encoding="utf-8")
        for name in names.split():
            assert f"def {name}(" in text, f"{what}: {page} has no {name}"
