"""fetch-wikicelb against a recorded response, served locally."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gazecrop.audit.material.portraits import read_people
from gazecrop.audit.material.wikicelb import QUERY, licence_of, people_of, rows
from gazecrop.audit.material.wikimedia import TRIES, FetchError
from gazecrop.cli import main
from tests.helpers.pictures import jpeg


def _binding(number: int, group: str, image: str, groups: int = 1) -> dict[str, Any]:
    values = {
        "human": f"http://www.wikidata.org/entity/Q{number}",
        "humanLabel": f"Invented Person {number}",
        "image": f"http://commons.wikimedia.org/wiki/Special:FilePath/{image}",
        "genderLabel": "female" if number % 2 else "male",
        "group": group,
        "groups": str(groups),
    }
    return {name: {"type": "literal", "value": value} for name, value in values.items()}


# The structure of a response of the query service; the people are invented.
ANSWER = {
    "head": {"vars": ["human", "humanLabel", "image", "genderLabel", "group", "groups"]},
    "results": {
        "bindings": [
            _binding(11, "Greenlanders", "One%20portrait.jpg"),
            _binding(11, "Greenlanders", "Another%20portrait.jpg"),
            _binding(12, "Basques", "Two%20%28cropped%29.JPG"),
            _binding(13, "Basques", "Three.png", groups=2),
            _binding(14, "Sami people", "No%20licence.jpg"),
            _binding(15, "Sami people", "Gone.jpg"),
        ]
    },
}


def _imageinfo(title: str) -> dict[str, Any]:
    about: dict[str, Any] = {"Artist": {"value": '<a href="//x">A. Photographer</a>\n'}}
    if "licence" not in title:
        about["LicenseShortName"] = {"value": "CC BY-SA 4.0"}
    page = {"descriptionurl": f"https://commons.wikimedia.org/wiki/{title}", "extmetadata": about}
    return {"query": {"pages": {"1": {"title": title, "imageinfo": [page]}}}}


class _Wiki(BaseHTTPRequestHandler):
    requests: list[str]
    agents: set[str]
    busy: int  # number of requests that get 429 first

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        type(self).requests.append(url.path)
        type(self).agents.add(self.headers["User-Agent"])
        if url.path == "/files/One%20portrait.jpg" and type(self).busy:
            type(self).busy -= 1
            return self._answer(429, b"", ("Retry-After", "0"))
        if url.path == "/sparql":
            assert parse_qs(url.query)["query"] == [QUERY]
            return self._answer(200, json.dumps(ANSWER).encode())
        if url.path == "/api":
            return self._answer(200, json.dumps(_imageinfo(parse_qs(url.query)["titles"][0])).encode())
        if url.path == "/files/Gone.jpg":
            return self._answer(404, b"")
        if url.path == "/files/Two%20%28cropped%29.JPG":
            return self._answer(302, b"", ("Location", "/moved/two.jpg"))
        if url.path == "/evil":
            return self._answer(302, b"", ("Location", "http://elsewhere.invalid/x"))
        return self._answer(200, jpeg(64, 80, seed=len(url.path)))

    def _answer(self, status: int, data: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for header in headers:
            self.send_header(*header)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def wiki() -> Iterator[tuple[str, type[_Wiki]]]:
    handler = type("Wiki", (_Wiki,), {"requests": [], "agents": set(), "busy": 1})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()
        thread.join()


def fetch(url: str, folder: Path, *more: str) -> int:
    places = ("--sparql", f"{url}/sparql", "--commons", f"{url}/api", "--files", f"{url}/files/")
    return main(
        [
            "audit",
            "fetch-wikicelb",
            str(folder),
            "--contact",
            "me@example.org",
            "--pause",
            "0",
            *places,
            *more,
        ]
    )


def test_people_pictures_and_licences(wiki: tuple[str, type[_Wiki]], tmp_path: Path) -> None:
    url, server = wiki
    assert fetch(url, tmp_path) == 0
    lines = sorted(rows(tmp_path / "people.csv"), key=lambda line: line["who"])
    assert [line["who"] for line in lines] == ["Q11", "Q12"]
    assert lines[0] == {
        "file": "Q11.jpg",
        "who": "Q11",
        "name": "Invented Person 11",
        "gender": "female",
        "group": "Greenlanders",
        "licence": "CC BY-SA 4.0",
        "author": "A. Photographer",
        "page": "https://commons.wikimedia.org/wiki/File:One portrait.jpg",
    }
    assert set((tmp_path / "left-out.txt").read_text().split()) == {"Q14", "Q15"}
    assert server.busy == 0  # 429 was retried
    assert all("me@example.org" in agent for agent in server.agents)
    people = read_people(tmp_path / "people.csv")
    assert {person.labels["group"] for person in people} == {"Greenlanders", "Basques"}
    assert people[0].item.read()


def test_a_stopped_download_resumes(wiki: tuple[str, type[_Wiki]], tmp_path: Path) -> None:
    url, server = wiki
    assert fetch(url, tmp_path, "--people", "1") == 0
    before = len(rows(tmp_path / "people.csv"))
    assert before == 1
    assert fetch(url, tmp_path) == 0
    assert len(rows(tmp_path / "people.csv")) == 2
    assert server.requests.count("/sparql") == 1
    count = len(server.requests)
    assert fetch(url, tmp_path) == 0
    assert len(server.requests) == count


def test_redirects_elsewhere_are_not_followed(
    wiki: tuple[str, type[_Wiki]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, _ = wiki
    assert fetch(url, tmp_path, "--sparql", f"{url}/evil") == 2
    assert "elsewhere.invalid" in capsys.readouterr().err
    assert not (tmp_path / "answer.json").exists()


def test_a_server_that_stays_busy_ends_the_download(
    wiki: tuple[str, type[_Wiki]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, server = wiki
    server.busy = 100
    assert fetch(url, tmp_path) == 2
    assert "status 429; the same command resumes from here" in capsys.readouterr().err
    assert server.requests.count("/files/One%20portrait.jpg") == TRIES
    server.busy = 0
    assert fetch(url, tmp_path) == 0
    assert len(rows(tmp_path / "people.csv")) == 2


def test_a_file_beyond_the_limit_is_no_picture(
    wiki: tuple[str, type[_Wiki]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = wiki
    monkeypatch.setattr("gazecrop.audit.material.wikicelb.MOST_BYTES", 100)
    assert fetch(url, tmp_path) == 0
    assert rows(tmp_path / "people.csv") == []
    assert set((tmp_path / "left-out.txt").read_text().split()) == {"Q11", "Q12", "Q14", "Q15"}


def test_without_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        assert fetch(f"http://127.0.0.1:{unused.getsockname()[1]}", tmp_path) == 2
    assert "ConnectError" in capsys.readouterr().err


def test_a_contact_is_required(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "fetch-wikicelb", str(tmp_path)]) == 2
    assert "--contact" in capsys.readouterr().err
    assert main(["audit", "fetch-wikicelb", str(tmp_path), "--query"]) == 0
    assert "wdt:P172" in capsys.readouterr().out


@pytest.mark.parametrize("answer", [b"", b"[]", b'{"results": {"bindings": [{"human": {}}]}}'])
def test_an_invalid_response(answer: bytes) -> None:
    with pytest.raises(FetchError):
        people_of(answer)
    assert licence_of(answer) is None
