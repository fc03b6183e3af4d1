"""`python -m tests.anchors [words]`: run the rows whose names hold one of the words, or all; print expected and got.

Rows that are finished are kept in `out/anchors.json`, and not run again; `--again` runs them anew.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from tests.anchors import networks, rows, sequences

ROWS = [*rows.ROWS, *networks.ROWS, *sequences.ROWS]
KEPT = Path("out/anchors.json")


def main() -> int:
    """Run what is asked for, a row at a time; 1 if a band was missed."""
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() and "--again" not in sys.argv else {}
    asked = [row for row in ROWS if not words or any(word in row.name for word in words)]
    missed = 0
    for row in asked:
        if row.name not in kept:
            begun = time.perf_counter()
            with np.errstate(all="ignore"):  # some runs are to overflow
                got = row.run()
            kept[row.name] = {"got": got, "seconds": round(time.perf_counter() - begun, 1)}
            KEPT.parent.mkdir(exist_ok=True)
            part = KEPT.with_suffix(".part")
            part.write_text(json.dumps(kept, indent=1), encoding="utf-8")
            os.replace(part, KEPT)
        got = kept[row.name]["got"]
        holds = row.holds(got)
        missed += not holds
        said = ", ".join(f"{name} {number:.4g}" for name, number in got.items())
        print(f"{'yes' if holds else 'NO ':4}{row.name}\n      expected {row.expected}\n      got      {said}", end="")
        print(f"   ({kept[row.name]['seconds']} s)", flush=True)
    print(f"{len(asked) - missed} of {len(asked)} rows are inside their bands")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
