"""How near two libraries come: comparisons that are counted, and the table of their errors after `make peers`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from itertools import groupby

import numpy as np
import pytest


@dataclass
class Comparison:
    """The worst element: its error |a − b| / max(1, |b|), and |a − b| as a share of what is allowed."""

    precision: str
    error: float
    share: float


COMPARED: list[Comparison] = []
"""What the test that runs has compared so far."""


def differ(a, b, rtol, atol):
    """The worst error of `a` beside `b`, and its worst share of atol + rtol·|b|; equal infinities and NaN do not differ."""
    a, b = np.broadcast_arrays(np.asarray(a), np.asarray(b))
    with np.errstate(all="ignore"):
        same = (a == b) | ((a != a) & (b != b))
        apart, size = np.where(same, 0.0, np.abs(a * 1.0 - b)), np.where(same, 1.0, np.abs(b * 1.0))
        worst = [np.where(same, 0.0, apart / scale) for scale in (np.maximum(size, 1), atol + rtol * size)]
    return [float(np.nan_to_num(part, nan=np.inf, posinf=np.inf).max(initial=0.0)) for part in worst]


def assert_close(a, b, rtol=1e-7, atol=0.0, **options):
    """Assert as np.testing.assert_allclose does that `a` is close to `b`, and count the comparison, also where it fails."""
    single = np.float32 in (np.asarray(a).dtype, np.asarray(b).dtype)
    try:
        worst = differ(a, b, rtol, atol)
    except ValueError:  # of shapes that do not fit
        worst = [np.inf, np.inf]
    COMPARED.append(Comparison("float32" if single else "float64", *worst))
    np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, **options)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Put what a test compared into its report, which also comes from other processes that run tests."""
    COMPARED.clear()
    try:
        return (yield)
    finally:
        for precision, of in groupby(sorted(COMPARED, key=lambda c: c.precision), lambda c: c.precision):
            found = list(of)
            worst = Comparison(precision, max(c.error for c in found), max(c.share for c in found))
            item.user_properties.append(("agreement", (item.path.stem, item.name, len(found), asdict(worst))))
        COMPARED.clear()


def table(reports):
    """The lines of the table: for each page of tests and each precision, its tests, their comparisons, the worst of them."""
    groups = defaultdict(list)
    for name, value in [pair for report in reports for pair in report.user_properties]:
        if name == "agreement":
            page, test, count, worst = value
            group = page.removeprefix("test_torch_").removeprefix("test_")
            groups[group, worst["precision"]].append((count, Comparison(**worst), test))
    lines = [f"{'':22}{'tests':>7}{'comparisons':>13}{'worst error':>13}{'of allowed':>12}  in"] if groups else []
    for (group, precision), of in sorted(groups.items()):
        count, share = sum(count for count, _, _ in of), max(worst.share for _, worst, _ in of)
        _, worst, test = max(of, key=lambda part: part[1].error)
        lines.append(f"{group:14}{precision:8}{len(of):7}{count:13,}{worst.error:13.1e}{share:12.2%}  {test}")
    return lines


def pytest_terminal_summary(terminalreporter):
    """Print the table when the tests have ended."""
    reports = [r for of in terminalreporter.stats.values() for r in of if getattr(r, "when", None) == "call"]
    lines = table(reports)
    if lines:
        terminalreporter.section("agreement: |a − b| / max(1, |b|)")
        for line in lines:
            terminalreporter.write_line(line)
