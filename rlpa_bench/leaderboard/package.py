"""The files of a submission: packed, sealed by digests, and unpacked under limits into a run that can be read."""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from rlpa_bench.errors import DataError
from rlpa_bench.transcripts import replacing

JSON_FILES = ("submission.json", "run.json")
DIALOGUES, SCORES = "dialogues.jsonl", "scores.jsonl"
"""Held as ``NAME.xz``. Scores are those verdicts only that nobody can make again; cases are named by their digest."""
MANIFEST = "MANIFEST.sha256"
REQUIRED = frozenset({*JSON_FILES, f"{DIALOGUES}.xz", MANIFEST})
FILES = REQUIRED | {f"{SCORES}.xz"}

MAX_FILE = 64 << 20
"""Bytes of one file as stored."""
MAX_JSON = 1 << 20
MAX_UNPACKED = 1 << 30
"""Bytes of one file when unpacked."""
MAX_LINE = 32 << 20
_CHUNK = 1 << 20
_MEMORY = 128 << 20


def pack(lines: Iterable[bytes], path: Path) -> None:
    """Writes lines as xz; equal lines give equal bytes."""
    packer = lzma.LZMACompressor(preset=6 | lzma.PRESET_EXTREME)
    with replacing(path) as file:
        for line in lines:
            file.write(packer.compress(line))
        file.write(packer.flush())


def unpack(source: Path, target: Path) -> None:
    """Unpacks xz in pieces. Raises DataError beyond the limits of size and line length, or for broken data."""
    unpacker = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MEMORY)
    total = line = 0
    try:
        with source.open("rb") as packed, target.open("wb") as out:
            while not unpacker.eof:
                more = packed.read(_CHUNK) if unpacker.needs_input else b""
                if unpacker.needs_input and not more:
                    raise DataError(f"{source.name} breaks off; pack it again with leaderboard prepare")
                piece = unpacker.decompress(more, _CHUNK)
                total += len(piece)
                _, found, tail = piece.rpartition(b"\n")
                longest = max((len(part) for part in piece.split(b"\n")), default=0)
                line = len(tail) if found else line + len(piece)
                if total > MAX_UNPACKED or max(line, longest) > MAX_LINE:
                    what = f"{MAX_UNPACKED >> 20} MiB" if total > MAX_UNPACKED else f"{MAX_LINE >> 20} MiB a line"
                    raise DataError(f"{source.name} unpacks to more than {what}; submit fewer or shorter dialogues")
                out.write(piece)
            if unpacker.unused_data or packed.read(1):
                raise DataError(f"{source.name} goes on behind its end; pack it again with leaderboard prepare")
    except lzma.LZMAError as error:
        raise DataError(f"{source.name} is no sound xz file ({error}); pack it again") from None


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file of a submission except the manifest."""
    return {name: _sha256(folder / name) for name in sorted(FILES - {MANIFEST}) if (folder / name).is_file()}


def seal(folder: Path) -> None:
    """Writes the manifest, in the form that ``sha256sum -c`` reads."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in digests(folder).items())
    (folder / MANIFEST).write_text(lines, encoding="ascii")


def manifest_digest(folder: Path) -> str:
    """What names a submission's exact content."""
    return _sha256(folder / MANIFEST)


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """A submission's folder; of a zip archive, a temporary one with what may be taken out of it.

    Raises:
        DataError: for an archive whose entries point elsewhere, are links, are too many or too big.
    """
    if path.suffix != ".zip" or path.is_symlink() or not path.is_file():
        yield path
        return
    with TemporaryDirectory(prefix="rlpa-submission-") as folder:
        target = Path(folder) / "submission"
        target.mkdir()
        _unzip(path, target)
        yield target


def _unzip(path: Path, target: Path) -> None:
    from stat import S_ISLNK
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            for entry in archive.infolist():
                parts = PurePosixPath(entry.filename).parts
                if entry.is_dir() and len(parts) == 1 and parts[0] != "..":
                    continue
                inside = parts[-1:] if len(parts) in (1, 2) and parts[0] not in ("/", "..") else ()
                if not inside or inside[0] not in FILES or S_ISLNK(entry.external_attr >> 16):
                    raise DataError(f"{path.name} holds {entry.filename!r}, which does not belong into a submission")
                if entry.file_size > MAX_FILE or (target / inside[0]).exists():
                    raise DataError(f"{path.name}: {entry.filename!r} is too big or occurs twice; zip the folder again")
                with archive.open(entry) as source, (target / inside[0]).open("wb") as out:
                    out.write(source.read(MAX_FILE))
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DataError(f"{path.name} is no sound zip archive ({error}); zip the folder again") from None


def misplaced(folder: Path) -> Iterator[str]:
    """What is wrong with a submission's files before any is opened: links, strangers, sizes, gaps."""
    if folder.is_symlink() or not folder.is_dir():
        yield f"{folder.name} is not a folder; submit the folder that leaderboard prepare wrote"
        return
    found = set()
    for entry in sorted(folder.iterdir()):
        if entry.is_symlink() or not entry.is_file():
            yield f"{entry.name!r} is a link, a folder or a device; a submission holds plain files only"
        elif entry.name not in FILES:
            yield f"{entry.name!r} does not belong into a submission; take it out"
        elif entry.stat().st_size > (limit := MAX_JSON if entry.suffix == ".json" else MAX_FILE):
            size = entry.stat().st_size >> 20
            yield f"{entry.name!r} has {size} MiB, more than {limit >> 20}; submit fewer dialogues"
        found.add(entry.name)
    for name in sorted(REQUIRED - found):
        yield f"{name} is missing; prepare the submission again"


def broken_seals(folder: Path) -> Iterator[str]:
    """Where the manifest and the files disagree."""
    sealed = {}
    for number, line in enumerate((folder / MANIFEST).read_text("utf-8", "replace").splitlines(), 1):
        digest, gap, name = line.partition("  ")
        if not gap or len(digest) != 64 or name not in FILES or name in sealed:
            yield f"{MANIFEST} line {number} is not `SHA256  NAME` of a file of the submission; prepare it again"
            return
        sealed[name] = digest
    found = digests(folder)
    for name in sorted(sealed.keys() | found.keys()):
        if sealed.get(name) != found.get(name):
            yield f"{name} is not the file that was sealed; restore it, or prepare the submission again"


def _sha256(path: Path) -> str:
    hasher = sha256()
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            hasher.update(piece)
    return hasher.hexdigest()
