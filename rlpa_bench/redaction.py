"""Keys never leave the process: values of secret environment variables are blanked in files and on the terminal.

A plugin may put whatever it sees into a reply, an error message or a print. What is blanked are the values of
variables whose names end in KEY, TOKEN, SECRET or PASSWORD, as they were when the run was set up.
"""

from __future__ import annotations

import json
import os
import re
from typing import IO, Any

_NAME = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD)$", re.IGNORECASE)
SHORTEST = 8
"""Characters below which a value is taken for a placeholder."""
BLANK = "[redacted]"

_known: list[str] = []


def learn() -> None:
    """Takes note of the secrets in the environment."""
    values = {value for name, value in os.environ.items() if _NAME.search(name) and len(value) >= SHORTEST}
    forms = values | {json.dumps(value, ensure_ascii=ascii_)[1:-1] for value in values for ascii_ in (True, False)}
    _known[:] = sorted((form for form in forms if not form.startswith("/")), key=len, reverse=True)


def redacted(text: str) -> str:
    """The text with every known secret blanked."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, BLANK)
    return text


def redacted_bytes(data: bytes) -> bytes:
    """The same for UTF-8."""
    for secret in _known:
        if (encoded := secret.encode()) in data:
            data = data.replace(encoded, BLANK.encode())
    return data


class Redacting:
    """A text stream that blanks secrets before it passes them on."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(redacted(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
