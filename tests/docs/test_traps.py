"""Where systems that differentiate and learn went wrong, by experience: each has tests here, named after what they protect."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

TRAPS = {
    1: ("recursion over deep chains", {
        "engine/test_walk.py": "test_a_chain_of_two_hundred_thousand_operations test_no_walk_recurses "
        "test_time_grows_as_the_length_of_a_chain test_a_long_chain_is_freed_without_the_collector",
        "engine/test_saving.py": "test_copies_do_not_recurse",
    }),
    2: ("as much time as there are paths", {
        "engine/test_walk.py": "test_sixty_stacked_diamonds_finish_at_once test_second_derivative_of_stacked_diamonds",
    }),
    3: ("a second walk that finds the gradients of the first", {
        "engine/test_memory.py": "test_backward_twice_gives_exactly_twice test_a_freed_graph_raises_with_the_cure",
        "engine/test_programs.py": "test_backward_twice_is_twice_the_gradient",
    }),
    4: ("leaves taken for one another because their values are equal", {
        "engine/test_walk.py": "test_leaves_of_equal_value_are_different_leaves",
        "engine/test_python.py": "test_tensors_are_told_apart_by_identity_in_sets_and_dictionaries "
        "test_equality_is_elementwise_and_identity_is_is",
    }),
    5: ("an op without a derivative that nobody misses", {
        "ops/test_ops.py": "test_every_floating_result_has_a_rule_or_is_constant test_a_rule_for_each_input",
    }),
    6: ("cycles of references that keep graphs alive", {
        "engine/test_memory.py": "test_dropping_the_output_frees_the_graph_without_the_collector "
        "test_memory_is_flat_over_five_hundred_iterations_without_the_collector",
    }),
    7: ("an input that is used twice, counted once", {
        "engine/test_recording.py": "test_one_tensor_used_twice_counts_as_two_uses",
        "engine/test_walk.py": "test_a_square_written_as_a_product_is_visited_twice",
    }),
    8: ("one of several outputs that nobody uses", {
        "engine/test_recording.py": "test_a_dropped_output_counts_as_zero test_second_derivatives_through_several_outputs",
    }),
    9: ("backward from more than one number", {
        "engine/test_backward.py": "test_backward_starts_from_one_number_of_any_shape",
    }),
    10: ("no_grad that outlasts an exception, or holds in other threads", {
        "engine/test_recording.py": "test_no_grad_is_left_after_an_exception test_no_grad_holds_in_its_own_thread_alone "
        "test_blocks_nest_and_restore_what_was",
    }),
    11: ("a total or an accuracy that keeps every graph", {
        "engine/test_indexing_writing.py": "test_a_running_total_of_results_is_recorded",
        "engine/test_memory.py": "test_detached_numbers_keep_no_graph",
        "engine/test_without_derivative.py": "test_twenty_kept_accuracies_hold_their_numbers_alone",
    }),
    12: ("two gradients in one array", {
        "engine/test_backward.py": "test_gradients_share_memory_with_nothing test_gradients_of_many_leaves_are_all_apart "
        "test_no_op_makes_two_gradients_of_one_array",
    }),
    13: ("values written between the way forward and the way back", {
        "engine/test_stale.py": "test_a_value_written_after_it_was_used_raises_naming_it "
        "test_a_result_written_through_its_detached_view_raises "
        "test_whatever_is_written_through_any_alias_a_gradient_is_right_or_refused",
    }),
    14: ("what += and out= write", {
        "engine/test_indexing_writing.py": "test_the_two_ways_to_take_a_step test_in_place_keeps_shape_and_dtype_or_raises "
        "test_assigning_into_what_is_recorded_or_live_raises_with_the_cure",
        "engine/test_protocols.py": "test_out_onto_a_tensor_raises test_out_refuses_to_lose_a_record",
    }),
    15: ("an index given twice", {
        "ops/test_indexing.py": "test_a_repeated_row_adds_up test_negative_and_positive_names_of_a_row_add_up",
    }),
    16: ("an array on the left of a tensor", {
        "engine/test_operators.py": "test_an_array_on_the_left_gives_a_recorded_tensor",
    }),
    17: ("a rule that writes into the gradient it is given", {
        "engine/test_backward.py": "test_the_incoming_gradient_is_never_written",
        "testing/test_checkers.py": "test_a_rule_that_writes_into_the_incoming_gradient",
    }),
    18: ("broadcasting, summed back", {
        "engine/test_walk.py": "test_unbroadcasting_is_the_transpose_of_broadcasting",
        "ops/test_shaping.py": "test_broadcasting_is_the_adjoint_of_summing",
    }),
    19: ("whole numbers that are to have gradients; masks that stay as they were", {
        "engine/test_errors.py": "test_what_cannot_be_a_leaf_raises_and_says_why",
        "engine/test_recording.py": "test_comparisons_and_orders_are_leaves_that_are_followed "
        "test_a_mask_is_computed_again_when_its_record_is_run_again",
    }),
    20: ("float32 that becomes float64", {
        "engine/test_backward.py": "test_precision_is_kept_forward_and_backward_without_a_cast_at_the_end",
        "engine/test_operators.py": "test_numpys_scalars_are_as_weak_as_pythons",
        "engine/test_recording.py": "test_a_number_is_recorded_in_the_dtype_that_the_op_computed_in",
        "ops/test_elementwise.py": "test_float32_stays",
    }),
    21: ("squared error of (N,) against (N, 1)", {
        "nn/test_losses.py": "test_mse_of_a_column_against_a_row_raises",
        "nn/test_targets.py": "test_a_column_against_a_row_raises",
    }),
    22: ("indices of every kind", {
        "ops/test_indexing.py": "test_getitem_is_numpys_and_its_gradient_scatters test_getitem_of_unusual_indices",
        "engine/test_indexing_writing.py": "test_indexing_is_numpys test_empty_and_0d_tensors_are_indexed",
    }),
    23: ("slopes at kinks and bounds", {
        "engine/test_conventions.py": "test_the_convention_for",
        "ops/test_elementwise.py": "test_all_of_a_clipped_gradient_goes_somewhere test_signs",
    }),
    24: ("ties", {
        "ops/test_reductions.py": "test_ties_share_the_gradient_evenly",
        "ops/test_elementwise.py": "test_ties_share_and_nan_is_passed_on",
    }),
    25: ("square roots, norms and deviations at zero", {
        "engine/test_backward.py": "test_an_infinite_slope_is_an_answer_without_a_warning",
        "ops/test_norms.py": "test_the_gradient_of_a_norm_at_zero_is_zero",
        "ops/test_reductions.py": "test_a_constant_has_no_spread_and_no_gradient",
    }),
    26: ("products with zeros", {
        "ops/test_reductions.py": "test_gradient_and_hessian_of_a_product_with_zeros "
        "test_running_products_with_zeros_along_an_axis",
    }),
    27: ("powers of zero and of negative numbers", {
        "ops/test_elementwise.py": "test_powers_of_zero test_derivatives_of_a_whole_power "
        "test_the_mixed_derivative_of_a_power_at_exponent_zero",
    }),
    28: ("NaN and infinity from the branch not taken", {
        "engine/test_conventions.py": "test_values_of_the_branch_not_taken_never_reach_the_gradient",
        "engine/test_presence.py": "test_first_and_second_order_freed_recorded_and_replayed "
        "test_a_random_program_of_which_parts_are_dropped test_a_wrong_declaration_is_caught",
        "ops/test_elementwise.py": "test_a_safe_argument_inside_where_is_not_needed",
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
    44: ("a sum as the head of a check, in which wrong gradients cancel", {
        "testing/test_checkers.py": "test_softmax_without_its_second_term test_an_ignored_cotangent",
    }),
    45: ("a kink taken for a mistake, or a mistake for a kink", {
        "testing/test_checkers.py": "test_a_kink_is_reported test_a_wrong_rule_is_not_excused_as_a_kink "
        "test_no_smooth_point_is_called_a_kink",
    }),
    46: ("a check that cannot fail", {
        "testing/test_checkers.py": "test_a_sign test_a_missing_factor test_a_missing_term test_a_small_constant "
        "test_the_rule_of_the_other_input test_a_forgotten_rule test_one_use_of_two "
        "test_repeated_indices_assigned_instead_of_added test_a_wrong_axis test_a_lost_tie test_a_stale_mask "
        "test_a_scan_that_is_not_reversed test_a_transposition_that_is_not_undone test_a_mean_for_a_sum_over_broadcast_axes "
        "test_a_missing_unbroadcast test_a_rule_that_widens test_a_rule_that_returns_an_input "
        "test_wrong_at_second_order_only test_one_element_among_a_thousand_is_found",
        "ops/test_ops.py": "test_a_wrong_rule_is_caught",
    }),
}  # fmt: skip
"""What went wrong, and the tests by their page; the numbers are those by which tests refer to it."""


def test_none_is_left_out():
    assert list(TRAPS) == list(range(1, 47))


@pytest.mark.parametrize("trap", TRAPS)
def test_what_went_wrong_elsewhere_is_tested_here(trap):
    what, tests = TRAPS[trap]
    for page, names in tests.items():
        text = (TESTS / page).read_text(encoding="utf-8")
        for name in names.split():
            assert f"def {name}(" in text, f"{what}: {page} has no {name}"
