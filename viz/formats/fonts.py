"""Whether this machine can draw wide characters, such as Hangul, into PNG and PDF."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache


@cache
def has_wide_font() -> bool:
    """Whether a font with Hangul is installed. Windows and macOS come with one; elsewhere fontconfig is asked."""
    if sys.platform in ("win32", "darwin"):
        return True
    listing = shutil.which("fc-list")
    if listing is None:
        return False
    found = subprocess.run([listing, ":lang=ko", "family"], capture_output=True, timeout=30, check=False)
    return bool(found.stdout.strip())
