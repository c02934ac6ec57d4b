"""gazecrop batch over remote file systems: https's by a real HTTP server, S3 by moto's. Google's has no server here:
gs:// differs in the file system that fsspec loads for it."""

import functools
import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gazecrop.cli import main
from gazecrop.console.remote import is_remote
from gazecrop.console.sources import SourceError, pictures_of
from tests.helpers.pictures import jpeg


def test_what_is_remote() -> None:
    for url in ("s3://a/b", "gs://a/b.jpg", "https://a.example/b", "http://a.example/b"):
        assert is_remote(url)
    for path in ("photos", "/photos/s3", "s3:/a", "ftp://a/b", "C:\\a"):
        assert not is_remote(path)


@pytest.mark.parametrize("source", ["s3://photos/", "gs://photos/a.jpg", "https://photos.example/"])
def test_without_the_extra_it_says_which(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("fsspec", "fsspec.core"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SourceError, match=r"\[remote\]"):
        pictures_of(source)


def test_results_are_not_remote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(64, 48))
    assert main(["batch", str(tmp_path), "s3://results/x"]) == 2
    assert "DST" in capsys.readouterr().err


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "site"
    (folder / "inner").mkdir(parents=True)
    for number, name in enumerate(("a.jpg", "b.jpg", "inner/c.jpg")):
        (folder / name).write_bytes(jpeg(160, 120, number))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture")
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def answers(folder: Path) -> dict[str, Any]:
    lines = (folder / "part-00000.jsonl").read_text().splitlines()
    return {answer["file"]: answer for answer in map(json.loads, lines)}


@pytest.mark.long
def test_a_folder_of_http_and_resuming(site: tuple[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    pytest.importorskip("aiohttp")
    url, folder = site
    local, remote = tmp_path / "local", tmp_path / "remote"
    options = ["--ratios", "1:1,16:9", "--workers", "1"]
    assert main(["batch", str(folder), str(local), *options]) == 1
    assert main(["batch", f"{url}/", str(remote), *options]) == 1
    found = answers(remote)
    assert found.keys() == {"a.jpg", "b.jpg", "broken.jpg", "inner/c.jpg"}
    assert found == answers(local)
    (folder / "d.jpg").write_bytes(jpeg(160, 120, 9))
    assert main(["batch", f"{url}/", str(remote), *options]) == 1
    assert answers(remote) == found and (remote / "part-00001.jsonl").read_text().count("d.jpg") == 1
    # A list of URLs, one of which is not there.
    table = tmp_path / "list.csv"
    table.write_text(f"path\n{url}/a.jpg\n{url}/none.jpg\n")
    assert main(["batch", str(table), str(tmp_path / "listed"), *options]) == 1
    listed = answers(tmp_path / "listed")
    assert listed[f"{url}/a.jpg"]["crops"] == found["a.jpg"]["crops"]
    assert listed[f"{url}/none.jpg"]["error"]["type"] == "/problems/file_unreadable"
