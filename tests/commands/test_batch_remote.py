"""gazecrop batch over remote file systems: https's by a real HTTP server, S3 by moto's, Google's by an emulator."""

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from gazecrop.cli import main
from gazecrop.console.remote import is_remote
from gazecrop.console.sources import SourceError, pictures_of
from tests.helpers.buckets import credentials, gcs_server, s3_server
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
    # A query is no glob: signatures have any characters.
    assert [item.path for item in pictures_of(f"{url}/a.jpg?sig=a*b")] == [f"{url}/a.jpg?sig=a*b"]


OBJECTS = {
    "in/a.jpg": jpeg(160, 120, 0),
    "in/b é+?#.jpg": jpeg(160, 120, 1),
    "in/more/c.jpg": jpeg(160, 120, 2),
    "in/broken.jpg": b"no picture",
    "in/notes.txt": b"no picture",
    "other/d.jpg": jpeg(160, 120, 3),
}
LISTED = {"a.jpg", "b é+?#.jpg", "more/c.jpg", "broken.jpg"}


def put(url: str, scheme: str, key: str, content: bytes) -> None:
    if scheme == "s3":
        httpx.put(f"{url}/photos/{quote(key)}", content=content).raise_for_status()
    else:
        path = f"{url}/upload/storage/v1/b/photos/o?uploadType=media&name={quote(key, safe='')}"
        httpx.post(path, content=content, headers={"content-type": "image/jpeg"}).raise_for_status()


@pytest.fixture(params=["s3", "gs"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The scheme, the server's URL, and the variables of a process that uses it."""
    scheme: str = request.param
    for package in {"s3": ("s3fs", "aiobotocore"), "gs": ("gcsfs",)}[scheme]:
        pytest.importorskip(package)
    with s3_server() if scheme == "s3" else gcs_server(tmp_path / "gcs") as url:
        if scheme == "s3":
            httpx.put(f"{url}/photos").raise_for_status()
        else:
            httpx.post(f"{url}/storage/v1/b?project=p", json={"name": "photos"}).raise_for_status()
        for key, content in OBJECTS.items():
            put(url, scheme, key, content)
        given = credentials(url) if scheme == "s3" else {"STORAGE_EMULATOR_HOST": url}
        yield scheme, url, given


def batch(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = [str(Path(sys.executable).with_name("gazecrop")), "batch", *map(str, arguments)]
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "GAZECROP_", "STORAGE_"))}
    done = subprocess.run(program, env=inherited | environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr  # 1: one is no picture
    return done


@pytest.mark.long
@pytest.mark.parametrize("cluster", [False, True], ids=["here", "ray"])
def test_a_bucket_and_resuming(
    bucket: tuple[str, str, dict[str, str]], cluster: bool, tmp_path: Path
) -> None:
    scheme, url, environment = bucket
    options = ["--ratios", "1:1,16:9"]
    if cluster:
        pytest.importorskip("ray")
        options += ["--ray", "local"]
    else:
        options += ["--workers", "1"]
    local, remote = tmp_path / "local", tmp_path / "remote"
    for key, content in OBJECTS.items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(content)
    batch({}, tmp_path / "in", local, "--ratios", "1:1,16:9", "--workers", "1")
    batch(environment, f"{scheme}://photos/in/", remote, *options)
    found = answers(remote)
    assert found.keys() == LISTED and found == answers(local)
    put(url, scheme, "in/e.jpg", jpeg(160, 120, 9))
    batch(environment, f"{scheme}://photos/in/", remote, *options)
    assert answers(remote) == found and (remote / "part-00001.jsonl").read_text().count("e.jpg") == 1
    # A glob, and a list with one that is not there.
    batch(environment, f"{scheme}://photos/in/b*.jpg", tmp_path / "glob", *options)
    assert len(answers(tmp_path / "glob")) == 2
    table = tmp_path / "list.csv"
    table.write_text(f"path\n{scheme}://photos/other/d.jpg\n{scheme}://photos/none.jpg\n")
    batch(environment, table, tmp_path / "listed", *options)
    listed = answers(tmp_path / "listed")
    assert listed[f"{scheme}://photos/other/d.jpg"]["crops"]
    assert listed[f"{scheme}://photos/none.jpg"]["error"]["type"] == "/problems/file_unreadable"
