"""Pictures one after another: GIF and WebP by Pillow, MP4 by the ffmpeg of imageio-ffmpeg."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viz.formats.extras import extra

LAST_IS_SEEN = 3.0  # times as long as the others, and once more, so that the whole is seen before it begins again
FILM_RATE = 10  # pictures a second of an MP4, of which each frame takes several
_NAMES = {"gif": "a GIF", "webp": "a WebP", "mp4": "an MP4"}


def film(pngs: Sequence[bytes], format: str, seconds: float) -> bytes:
    """A film of pictures in PNG, each seen for so many seconds, and the last for longer.

    Raises RuntimeError without the package that the format needs.
    """
    extra("PIL", _NAMES[format])
    if format == "mp4":
        extra("imageio_ffmpeg", "an MP4")
    pil = extra("PIL.Image", _NAMES[format])
    pictures = [pil.open(io.BytesIO(png)) for png in pngs]
    times = [seconds] * (len(pictures) - 1) + [(1 + LAST_IS_SEEN) * seconds]
    return _movie(pictures, times) if format == "mp4" else _animation(pictures, times, format)


def _animation(pictures: Sequence[Any], times: Sequence[float], format: str) -> bytes:
    options: dict[str, Any] = {"lossless": True, "method": 4}
    if format == "gif":
        pictures = _of_few_colours(pictures)
        options = {"disposal": 2 if "transparency" in pictures[0].info else 1}
    file = io.BytesIO()
    pictures[0].save(
        file, format, save_all=True, append_images=pictures[1:], duration=[round(1000 * t) for t in times], loop=0, **options
    )  # fmt: skip
    return file.getvalue()


def _of_few_colours(pictures: Sequence[Any]) -> list[Any]:
    """The pictures in the 255 most frequent colours of the last, which shows all that there is, or transparent."""
    pil = extra("PIL.Image", "a GIF")
    last, counts = np.unique(_colours(pictures[-1])[0], return_counts=True)
    kept = np.sort(last[np.argsort(-counts, kind="stable")[:255]])
    channels = (kept[:, None] >> np.array([16, 8, 0])) & 255
    seen = [_colours(picture) for picture in pictures]
    clear = any(hole.any() for _, hole in seen)
    found = []
    for colours, hole in seen:
        own, places = np.unique(colours, return_inverse=True)
        away = ((own[:, None] >> np.array([16, 8, 0])) & 255)[:, None] - channels
        nearest = (away**2).sum(axis=-1).argmin(axis=1)[places].reshape(colours.shape)
        plain = pil.fromarray(np.where(hole, 255, nearest).astype(np.uint8), "P")
        plain.putpalette(channels.astype(np.uint8).tobytes())
        if clear:
            plain.info["transparency"] = 255
        found.append(plain)
    return found


def _colours(picture: Any) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The colour of each pixel as one number, and whether there is none."""
    pixels = np.asarray(picture.convert("RGBA"), np.int64)
    return pixels[..., :3] @ np.array([1 << 16, 1 << 8, 1]), pixels[..., 3] < 128


def _movie(pictures: Sequence[Any], times: Sequence[float]) -> bytes:
    """H.264 in the way that every player and browser takes: sides that are even, and yuv420p."""
    ffmpeg, pil = extra("imageio_ffmpeg", "an MP4"), extra("PIL.Image", "an MP4")
    width, height = (side + side % 2 for side in pictures[0].size)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "film.mp4"
        writer = ffmpeg.write_frames(
            str(file), (width, height), fps=FILM_RATE, codec="libx264", macro_block_size=2, quality=None,
            output_params=["-crf", "18", "-tune", "animation", "-movflags", "+faststart"], ffmpeg_log_level="error",
        )  # fmt: skip
        writer.send(None)
        try:
            for picture, time in zip(pictures, times, strict=True):
                frame = pil.new("RGB", (width, height), picture.convert("RGB").getpixel((0, 0)))
                frame.paste(picture.convert("RGB"))
                for _ in range(max(1, round(time * FILM_RATE))):
                    writer.send(frame.tobytes())
        finally:
            writer.close()
        return file.read_bytes()
