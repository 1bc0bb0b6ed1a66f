"""Installed distributions made of a few lines, for tests of what is found on the path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install(folder: Path, distribution: str, entries: Mapping[str, str], version: str = "1.0", **modules: str) -> Path:
    """Writes modules and the metadata that pip would leave of them; ``folder`` then belongs on the path.

    Args:
        entries: entry points of the group ``rlpa_bench``: name -> module.
        modules: module name -> source.
    """
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    points = "".join(f"{name} = {module}\n" for name, module in entries.items())
    (info / "entry_points.txt").write_text(f"[rlpa_bench]\n{points}")
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)
    return folder
