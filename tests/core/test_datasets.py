"""Data sets that are fetched: pinned, verified, and one sentence for whatever goes wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rlpa_bench import datasets
from rlpa_bench.cli.main import cli
from rlpa_bench.datasets import DATASETS, Dataset, File, download
from rlpa_bench.errors import DataError, UsageError

CONTENT = {"one.jsonl": b'"first"\n', "two.jsonl": b'"second"\n"third"\n'}


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT; under /short it promises more than it sends."""

    def do_GET(self) -> None:
        folder, _, name = self.path.strip("/").rpartition("/")
        if name not in CONTENT:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT[name]) + (9 if folder == "short" else 0)))
        self.end_headers()
        self.wfile.write(CONTENT[name])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RLPA_BENCH_CACHE_DIR", str(tmp_path))
    return tmp_path / "data" / "toy"


def toy(address: str, folder: str = "good", **sums: str) -> Dataset:
    files = tuple(
        File(name, sums.get(name[:3], sha256(content).hexdigest()), f"{address}/{folder}/{name}")
        for name, content in CONTENT.items()
    )
    return Dataset("toy", "CC0-1.0", "nowhere", 0.1, files, download, "the second file has two lines")


def test_what_is_fetched_is_verified_and_stays(address: str, cache: Path) -> None:
    data = toy(address)
    assert data.state() == "not fetched"
    assert data.fetch() == data.path() == cache
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == CONTENT
    assert data.state() == "here"
    assert toy("http://127.0.0.1:1").fetch() == cache  # nothing is asked for again


def test_not_fetched_says_the_command(address: str, cache: Path) -> None:
    with pytest.raises(DataError, match=r"^data set 'toy' is not here; run: rlpa-bench data fetch toy$"):
        toy(address).path()
    toy(address).fetch()
    (cache / "two.jsonl").unlink()
    with pytest.raises(DataError, match=r"^data set 'toy' lacks two\.jsonl; run: rlpa-bench data fetch toy$"):
        toy(address).path()


def test_a_corrupt_file_is_refused_and_fetched_again(address: str, cache: Path) -> None:
    data = toy(address)
    data.fetch()
    (cache / "one.jsonl").write_bytes(b'"fir')
    assert data.state() == "one.jsonl is corrupt"
    with pytest.raises(DataError, match=r"one\.jsonl is not the pinned file .*; run: rlpa-bench data fetch toy$"):
        data.path()
    data.fetch()
    assert data.path() == cache
    assert (cache / "one.jsonl").read_bytes() == CONTENT["one.jsonl"]


def test_another_checksum_at_the_source_stores_nothing(address: str, cache: Path) -> None:
    with pytest.raises(DataError, match=r"^one\.jsonl of data set 'toy' has sha256 [0-9a-f]{12}…, not 0{12}…; it was"):
        toy(address, one="0" * 64).fetch()
    assert not (cache / "one.jsonl").exists()


@pytest.mark.parametrize(
    ("folder", "name", "reason"),
    [("good", "none.jsonl", "Not Found"), ("short", "one.jsonl", "IncompleteRead")],
)
def test_a_broken_answer_is_one_sentence(address: str, folder: str, name: str, reason: str) -> None:
    with pytest.raises(DataError, match=rf"^cannot fetch http://\S+ \(.*{reason}.*\); check the connection") as caught:
        download(File(name, "", f"{address}/{folder}/{name}"))
    assert "\n" not in str(caught.value)


def test_offline_is_one_sentence() -> None:
    with pytest.raises(DataError, match=r"^cannot fetch http://127\.0\.0\.1:1/x \(.*refused.*\); check the connection"):
        download(File("x", "", "http://127.0.0.1:1/x"))


def test_a_folder_that_cannot_be_written_is_one_sentence(address: str, cache: Path) -> None:
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"^cannot store one\.jsonl in .*; make room or rights$"):
        toy(address).fetch()


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown data set 'aleo'; there is aloe"):
        datasets.dataset("aleo")


def test_the_command_lists_and_fetches(address: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "toy", toy(address))
    listed = CliRunner().invoke(cli, ["data", "list"], standalone_mode=False).output
    for name, data in DATASETS.items():
        assert f"{name}  {data.megabytes:.1f} MB  {data.licence}  {data.source}  [not fetched]\n" in listed
        assert all(f"{file.name}  sha256 {file.sha256}\n" in listed for file in data.files)
    fetched = CliRunner().invoke(cli, ["data", "fetch", "toy"], standalone_mode=False)
    assert fetched.stdout == f"{cache}\n"
    assert "the second file has two lines" in fetched.stderr
    assert "  [here]" in CliRunner().invoke(cli, ["data", "list"], standalone_mode=False).output


def test_everything_fetched_is_pinned() -> None:
    for data in DATASETS.values():
        assert all(len(file.sha256) == 64 for file in data.files)
        assert all(not file.url or datasets.ALOE_COMMIT in file.url for file in data.files)
