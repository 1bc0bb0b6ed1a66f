"""report.html: placeholder until the page is written."""

from __future__ import annotations

from pathlib import Path


def write_html(run: object, path: Path) -> None:
    path.write_text("")
