"""PDF: pages that Graphviz has drawn, put together into one file."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

from viz.formats.extras import extra

Placed = tuple[bytes, float, float, float]  # a page, how many times as large it becomes, and where its corner comes to


def joined(pages: Iterable[bytes], title: str) -> bytes:
    """Join these pages in one file, each in its own size. Raises RuntimeError without pypdf."""
    pypdf = extra("pypdf", "a PDF of several pages")
    writer = pypdf.PdfWriter()
    for page in pages:
        writer.append(io.BytesIO(page), import_outline=False)
    writer.compress_identical_objects()  # the fonts, which each page brings
    return _written(writer, title)


def composed(sheets: Iterable[Sequence[Placed]], width: float, height: float, title: str) -> bytes:
    """One file of sheets, width × height in points, on each of which pictures are placed, from the lower left."""
    pypdf = extra("pypdf", "a PDF of several pages")
    writer = pypdf.PdfWriter()
    for pictures in sheets:
        sheet = writer.add_blank_page(width, height)
        for picture, scale, x, y in pictures:
            (page,) = pypdf.PdfReader(io.BytesIO(picture)).pages
            left, bottom = float(page.mediabox.left), float(page.mediabox.bottom)
            moved = pypdf.Transformation().translate(-left, -bottom).scale(scale).translate(x, y)
            sheet.merge_transformed_page(page, moved)
        sheet.compress_content_streams()
    return _written(writer, title)


def size(page: bytes) -> tuple[float, float]:
    """The width and the height of a file of one page, in points."""
    pypdf = extra("pypdf", "a PDF of several pages")
    box = pypdf.PdfReader(io.BytesIO(page)).pages[0].mediabox
    return float(box.width), float(box.height)


def _written(writer: Any, title: str) -> bytes:
    writer.metadata = {"/Title": title, "/Producer": "tinygrad_edu"}
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()
