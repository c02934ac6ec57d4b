"""The inbox: nothing lost, bounded, rate-limited."""

import os
from pathlib import Path

import pytest

from service.commands.reports import main
from service.errors import StoreFull, TooManyReports
from service.reports import INBOX, PICTURES, Inbox, Turnstile

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
    kept = tmp_path / PICTURES / id
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
