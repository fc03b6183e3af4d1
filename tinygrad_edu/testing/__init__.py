"""Checks: gradients against difference quotients, and ops against all that is asked of an op.

`gradcheck` and `gradgradcheck` check any function of tensors; `check_op` runs every check that follows from an
op's declaration. `tinygrad_edu.testing.strategies` draws inputs and whole programs for hypothesis.
"""

from tinygrad_edu.testing.check_op import check_op
from tinygrad_edu.testing.gradcheck import gradcheck, gradgradcheck
from tinygrad_edu.testing.report import AtKink, CheckError, GradientError, Report

__all__ = ["AtKink", "CheckError", "GradientError", "Report", "check_op", "gradcheck", "gradgradcheck"]
