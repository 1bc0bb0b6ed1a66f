"""Executes every code block of the documentation: Python in this process, shell blocks by bash, page by page.

Each page has a folder of its own; what it installs with pip goes into ``site`` in there, without dependencies, and not
into this environment. Nothing leaves the machine but what pip fetches for the embedded model: endpoints are a local
server, and the loggers write to files. A page may skip blocks, with a reason, by Sybil's ``skip`` comment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from rlpa_bench.cli.main import COMMANDS

SHELL = "set -euo pipefail\n"
SITE = "import os, site; site.addsitedir(os.path.dirname(__file__))"
"""Lets editable installations in the page's own folder be found, as in any site-packages."""
TIMEOUT = 240
"""Seconds for a block; less than pytest allows, so that what it printed is shown."""


def shell(example: Example) -> str | None:
    """Runs a block; what it printed is shown if it fails."""
    done = subprocess.run(
        ["bash", "-c", SHELL + example.parsed],
        text=True,
        capture_output=True,
        timeout=TIMEOUT,
        stdin=subprocess.DEVNULL,
    )
    return f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}" if done.returncode else None


def enter(namespace: dict[str, Any]) -> None:
    """A page begins: in a folder of its own, with the programs of this environment and without keys."""
    namespace["_home"] = (Path.cwd(), dict(os.environ))
    namespace["_folder"] = folder = tempfile.TemporaryDirectory()
    namespace["installed"] = lambda name: find_spec(name) is not None
    namespace["command"] = lambda name: name in COMMANDS
    namespace["_server"] = server = OpenAIServer().__enter__()
    os.chdir(folder.name)
    site = Path("site").absolute()
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    os.environ.update(
        PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        OPENAI_BASE_URL=server.url,
        OPENAI_API_KEY="none",
        LOCAL_BASE_URL=server.url,
        LOCAL_API_KEY="none",
        RLPA_BENCH_CACHE="1",
        PYTHONPATH=str(site),
        PIP_TARGET=str(site),
        PIP_NO_DEPS="1",
        PIP_NO_BUILD_ISOLATION="0",  # means no isolation
    )


def leave(namespace: dict[str, Any]) -> None:
    where, environment = namespace["_home"]
    os.chdir(where)
    os.environ.clear()
    os.environ.update(environment)
    namespace["_server"].__exit__(None, None, None)
    namespace["_folder"].cleanup()


pytest_collect_file = Sybil(
    parsers=[SkipParser(), PythonCodeBlockParser(), CodeBlockParser(language="sh", evaluator=shell)],
    patterns=["*.md"],
    excludes=["reference/*.md"],  # made from the code; no examples
    setup=enter,
    teardown=leave,
).pytest()


def pytest_configure(config: pytest.Config) -> None:
    """Third parties' warnings are no matter of the documentation."""
    config.addinivalue_line("filterwarnings", "ignore")
