"""Data sets that are not shipped: fetched at a pinned revision, verified by checksum, kept in the cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from rlpa_bench.cache import cache_dir
from rlpa_bench.errors import DataError, UsageError


@dataclass(frozen=True, slots=True)
class File:
    """One file of a data set: where it comes from and what it must be."""

    name: str
    sha256: str
    url: str = ""


@dataclass(frozen=True)
class Dataset:
    """A data set by name."""

    name: str
    licence: str
    source: str
    megabytes: float
    files: tuple[File, ...]
    get: Callable[[File], bytes]
    """Brings one file's bytes; raises DataError in one sentence."""

    @property
    def folder(self) -> Path:
        return cache_dir() / "data" / self.name

    def present(self) -> bool:
        return all((self.folder / file.name).is_file() for file in self.files)

    def path(self) -> Path:
        """The folder of the fetched files. Raises DataError if they are not there."""
        if not self.present():
            raise DataError(f"data set {self.name!r} is not here; run: rlpa-bench data fetch {self.name}")
        return self.folder

    def fetch(self) -> Path:
        """Brings whatever is missing and verifies it. Raises DataError."""
        for file in self.files:
            if not (self.folder / file.name).is_file():
                self._store(file, self.get(file))
        return self.folder

    def _store(self, file: File, content: bytes) -> None:
        found = sha256(content).hexdigest()
        if found != file.sha256:
            raise DataError(
                f"{file.name} of data set {self.name!r} has sha256 {found[:12]}…, not {file.sha256[:12]}…; "
                "it was cut off or changed at its source, fetch it again"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=self.folder, delete=False) as part:
                part.write(content)
            Path(part.name).replace(self.folder / file.name)
        except OSError as error:
            raise DataError(
                f"cannot store {file.name} in {self.folder}: {error.strerror}; make room or rights"
            ) from None


def download(file: File) -> bytes:
    """The bytes behind a file's address. Raises DataError."""
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(file.url, timeout=60) as answer:  # https addresses of this module only
            content: bytes = answer.read()
            return content
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise DataError(f"cannot fetch {file.url} ({reason}); check the connection and try again") from None


def dataset(name: str) -> Dataset:
    """A data set by name. Raises UsageError, with near names."""
    if name not in DATASETS:
        near = get_close_matches(name, DATASETS, n=1) or sorted(DATASETS)
        raise UsageError(f"unknown data set {name!r}; there is {' or '.join(near)} (rlpa-bench data list)")
    return DATASETS[name]


DATASETS: dict[str, Dataset] = {}
