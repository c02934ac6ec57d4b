"""The inbox: nothing lost, bounded, rate-limited."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from gazecrop.commands.reports import main
from gazecrop.errors import StoreFull, TooManyReports
from gazecrop.store.inbox import INBOX, PICTURES, Inbox, Turnstile
from tests.conftest import Server
from tests.helpers.contract import wrong
from tests.helpers.pictures import jpeg

REPORT = {"id": "0" * 32, "kind": "biased", "text": "cut off\nmy aunt", "crops": [{"ratio": "16:9"}]}


def test_what_is_added_is_read_back_in_order(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "new", 1)
    ids = [inbox.add(REPORT | {"text": text}, None) for text in ("one", "two", "dré")]
    kept = list(Inbox(tmp_path / "new", 1).read())
    assert [report["report"] for report in kept] == ids
    assert [report["text"] for report in kept] == ["one", "two", "dré"]
    assert all("picture" not in report for report in kept)


def test_a_picture_is_kept_only_when_it_comes_and_for_the_owner_alone(tmp_path: Path) -> None:
    id = Inbox(tmp_path, 1).add(REPORT, b"picture")
    kept = tmp_path / PICTURES / f"{'0' * 32}-{id}"
    assert kept.read_bytes() == b"picture"
    assert os.stat(kept).st_mode & 0o777 == os.stat(tmp_path / INBOX).st_mode & 0o777 == 0o600


def test_the_inbox_is_bounded_over_restarts(tmp_path: Path) -> None:
    Inbox(tmp_path, 1).add(REPORT, b"x" * 700_000)
    inbox = Inbox(tmp_path, 1)
    with pytest.raises(StoreFull):
        inbox.add(REPORT, b"x" * 400_000)
    inbox.add(REPORT, None)
    assert len(list(inbox.read())) == 2
    assert len(list((tmp_path / PICTURES).iterdir())) == 1


def test_forgetting_a_picture_removes_its_files_alone_and_makes_room(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, 1)
    inbox.forget("0" * 32)  # there is no inbox yet
    for id in ("0" * 32, "1" * 32):
        inbox.add(REPORT | {"id": id}, b"x" * 400_000)
    for other in ("*", "0" * 31, "", "../reports", "2" * 32):
        inbox.forget(other)
    assert len(list((tmp_path / PICTURES).iterdir())) == 2
    inbox.forget("0" * 32)
    (left,) = (tmp_path / PICTURES).iterdir()
    assert left.name.startswith("1" * 32)
    assert len(list(inbox.read())) == 2  # what was said stays
    inbox.add(REPORT, b"x" * 400_000)


def test_a_line_cut_by_a_crash_hides_no_other(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, 1)
    inbox.add(REPORT, None)
    with (tmp_path / INBOX).open("ab") as file:
        file.write(b'{"report": "cut\n')
    inbox.add(REPORT, None)
    assert len(list(inbox.read())) == 2


def test_the_turnstile_refills_evenly_and_tells_when_to_come_back() -> None:
    now = [0.0]
    turnstile = Turnstile(2, clock=lambda: now[0])
    turnstile.enter("a")
    turnstile.enter("a")
    with pytest.raises(TooManyReports) as refused:
        turnstile.enter("a")
    assert refused.value.headers["Retry-After"] == "1800"
    turnstile.enter("b")
    now[0] = 1801
    turnstile.enter("a")
    with pytest.raises(TooManyReports):
        turnstile.enter("a")


def test_the_command_lists_and_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GAZECROP_DATA_DIR", str(tmp_path))
    Inbox(tmp_path, 1).add(REPORT, b"picture")
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert "biased" in listed and "16:9" in listed and "cut off my aunt" in listed and PICTURES in listed
    assert main(["--json"]) == 0
    assert '"text": "cut off\\nmy aunt"' in capsys.readouterr().out
    Inbox(tmp_path, 1).forget("0" * 32)
    assert main([]) == 0
    assert "picture: forgotten" in capsys.readouterr().out


def test_the_command_names_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GAZECROP_REPORTS_MEGABYTES", "many")
    with pytest.raises(SystemExit) as refused:
        main([])
    assert refused.value.code == 2
    assert capsys.readouterr().err.startswith("GAZECROP_REPORTS_MEGABYTES: ")


def test_the_command_ends_quietly_when_its_output_is_closed(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, 10)
    for _ in range(20):
        inbox.add(REPORT | {"text": "x" * 4000}, None)
    listing = subprocess.Popen(
        [sys.executable, "-m", "gazecrop.cli", "reports", "--json"],
        env=os.environ | {"GAZECROP_DATA_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert listing.stdout is not None and listing.stderr is not None
    listing.stdout.close()
    with listing.stderr:
        said = listing.stderr.read()
    assert (listing.wait(60), said) == (0, b"")


def test_the_picture_of_a_report_is_the_one_it_names_and_goes_with_it(
    server: Server, api: httpx.Client
) -> None:
    data, other = jpeg(seed=830), jpeg(seed=831)
    id = api.post("/v1/images", content=data).json()["id"]

    def report(picture: bytes) -> httpx.Response:
        content = {"id": id, "text": "cut", "picture": base64.b64encode(picture).decode()}
        return api.post("/v1/reports", json=content)

    assert wrong(report(other)) == ["picture"]
    answer = report(data)
    assert answer.status_code == 201 and answer.json()["picture_kept"]
    kept = server.data_dir / PICTURES / f"{id}-{answer.json()['report']}"
    assert kept.read_bytes() == data
    assert api.delete(f"/v1/images/{id}").status_code == 204
    assert not kept.exists()
    assert [one["text"] for one in Inbox(server.data_dir, 1).read() if one["id"] == id] == ["cut"]


def test_a_report_that_is_no_json_is_refused(api: httpx.Client) -> None:
    assert wrong(api.post("/v1/reports", content=b"{")) == ["body"]
