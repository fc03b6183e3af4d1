"""Where the files of a published data set are: in a folder that is named, in the user's cache, or on its server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Archive:
    """A published data set.

    name: that of its folder, and of the function in `datasets`. url: the folder on its server, with a slash at the end.
    files: the checksum of each file, as its publisher gives it, `md5:…`.
    """

    name: str
    url: str
    files: Mapping[str, str]

    def find(self, file: str) -> Path:
        """The path of a file, downloaded if it must be.

        It is looked for in the folder of this name inside the one that the environment variable TINYGRAD_EDU_DATA names,
        packed (`.gz`) or not; only where that is not set, in the user's cache, where it is downloaded to when it is missing.
        """
        named = os.environ.get("TINYGRAD_EDU_DATA")
        if named:
            folder = Path(named) / self.name
            for path in (folder / file, folder / file.removesuffix(".gz")):
                if path.exists():
                    return path
            raise FileNotFoundError(f"TINYGRAD_EDU_DATA is set, but {folder / file} does not exist")
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinygrad_edu" / self.name
        return folder / file if (folder / file).exists() else self.download(file, folder)

    def download(self, file: str, folder: Path) -> Path:
        """Fetch a file into a folder: under another name, which it changes for its own when all has come and is right.

        Raises ImportError without pooch; OSError if the server cannot be reached, does not have the file, or sends a part
        of it; ValueError for anything but the file that was published.
        """
        instead = f"put {file} into a folder {self.name}, and name the folder it is in by TINYGRAD_EDU_DATA"
        try:
            import pooch
        except ImportError as error:
            raise ImportError(
                f"data.datasets.{self.name}() downloads its files with pooch: pip install pooch tqdm; or {instead}"
            ) from error
        fetch = pooch.HTTPDownloader(progressbar=_bar(file), chunk_size=1 << 16)
        url = self.url + file
        try:
            pooch.retrieve(url, known_hash=self.files[file], fname=file, path=folder, downloader=fetch)
        except OSError as error:
            raise OSError(f"{url} could not be downloaded: {error}; try again, or {instead}") from error
        except ValueError as error:
            raise ValueError(
                f"what came from {url} is not the published {file}, whose checksum is {self.files[file]}, and was thrown away: "
                f"try again, or {instead}"
            ) from error
        return folder / file


def _bar(file: str) -> Any:
    """A progress bar for a download, silent where nobody watches; none without tqdm."""
    try:
        from tqdm import tqdm
    except ImportError:
        return False
    return tqdm(total=1, desc=file, unit="B", unit_scale=True, disable=None)  # the server says the total
