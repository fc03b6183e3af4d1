"""Finds the files of a published data set: in a folder that the user names, in the user's cache, or on its server."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Archive:
    """A published data set.

    name: the name of its folder, and of the function in `datasets`.
    url: the folder on its server, with a slash at the end.
    files: the checksum of each file, as its publisher gives it, `md5:…`.
    mirrors: the same folder on other servers, which are asked in turn where the first does not answer or sends something
        else.
    """

    name: str
    url: str
    files: Mapping[str, str]
    mirrors: Sequence[str] = ()

    def find(self, file: str) -> Path:
        """The path of a file, which is downloaded if it must be.

        The environment variable TINYGRAD_EDU_DATA may name a folder; the file is then looked for in the folder of this
        name inside it, packed (`.gz`) or not. Only where it is not set, the file is looked for in the user's cache, and
        downloaded to there when it is missing.
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
        """Fetch a file into a folder, under another name, which it changes for its own when all of it has come and is
        right.

        Raises ImportError without pooch; OSError if the server cannot be reached, does not have the file, or sends a
        part of it; ValueError for anything but the file that was published.
        """
        instead = f"put {file} into a folder {self.name}, and name the folder it is in by TINYGRAD_EDU_DATA"
        try:
            import pooch
        except ImportError as error:
            raise ImportError(
                f"data.datasets.{self.name}() downloads its files with pooch: pip install pooch tqdm; or {instead}"
            ) from error
        faults: list[OSError | ValueError] = []
        for url in [server + file for server in (self.url, *self.mirrors)]:
            fetch = pooch.HTTPDownloader(progressbar=_bar(file), chunk_size=1 << 16)
            try:
                pooch.retrieve(url, known_hash=self.files[file], fname=file, path=folder, downloader=fetch)
                return folder / file
            except OSError as error:
                faults.append(OSError(f"{url} could not be downloaded: {error}"))
            except ValueError:
                said = f"what came from {url} is not the published {file}, whose checksum is {self.files[file]}, and was thrown away"
                faults.append(ValueError(said))
        said = "; ".join(map(str, faults))
        raise type(faults[0])(f"{said}; try again, or {instead}") from faults[0]


def _bar(file: str) -> Any:
    """A progress bar for a download, which shows only where a terminal is; without tqdm there is none."""
    try:
        from tqdm import tqdm
    except ImportError:
        return False
    return tqdm(
        total=1, desc=file, unit="B", unit_scale=True, disable=None
    )  # the total is set when the server tells it
