"""The inbox: nothing lost, bounded, rate-limited, and a deletion finds the pictures in it."""

import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from gazecrop.commands.reports import _place, main
from gazecrop.settings import Settings
from gazecrop.store import open_store
from gazecrop.store.base import Store
from gazecrop.store.inbox import Inbox
from gazecrop.store.sqlite_reports import read
from tests.conftest import RedisServer, Server, serving
from tests.helpers.contract import client, problem, until, wrong
from tests.helpers.disk import small_disk
from tests.helpers.pictures import jpeg

ID = "0" * 32
REPORT = {"id": ID, "kind": "biased", "text": "cut off\nmy aunt", "crops": [{"ratio": "16:9"}]}


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
def environment(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of a store, for the service and the command alike."""
    monkeypatch.setenv("GAZECROP_DATA_DIR", str(tmp_path))
    if request.param == "redis":
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis_server").url)


@pytest.fixture
async def store(environment: None) -> AsyncIterator[Store]:
    opened = open_store(Settings())
    yield opened
    await opened.close()


async def test_a_report_gets_an_id_a_time_and_the_name_of_its_picture(store: Store) -> None:
    inbox = Inbox(store)
    ids = [await inbox.add(REPORT, None), await inbox.add(REPORT, b"picture")]
    plain, with_picture = [report async for report in store.reports()]
    assert [plain.document["report"], with_picture.document["report"]] == ids
    assert plain.document["at"].endswith("Z") and plain.document["text"] == REPORT["text"]
    assert "picture" not in plain.document and plain.picture is None
    assert (with_picture.document["picture"], with_picture.picture) == (f"{ID}-{ids[1]}", b"picture")


def test_the_command_lists_exports_and_saves_pictures(
    environment: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def change(forget: bool = False) -> str:
        store = open_store(Settings())
        number = await Inbox(store).add(REPORT, b"picture")
        if forget:
            await store.delete(ID)
        await store.close()
        return number

    name = f"{ID}-{asyncio.run(change())}"
    folder = tmp_path / "pictures"
    assert main(["--pictures", str(folder)]) == 0
    listed = capsys.readouterr().out
    assert "biased" in listed and "16:9" in listed and "cut off my aunt" in listed and name in listed
    assert (folder / name).read_bytes() == b"picture"
    assert os.stat(folder / name).st_mode & 0o777 == 0o600
    assert main(["--json"]) == 0
    exported = capsys.readouterr().out
    assert '"text": "cut off\\nmy aunt"' in exported
    assert base64.b64decode(json.loads(exported)["picture_base64"]) == b"picture"
    asyncio.run(change(forget=True))
    assert main([]) == 0
    assert capsys.readouterr().out.count("picture: forgotten") == 2


def test_the_command_names_the_inbox_that_it_read(
    environment: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fill() -> None:
        store = open_store(Settings())
        await Inbox(store).add(REPORT, None)
        await store.close()

    asyncio.run(fill())
    place = os.environ.get("REDIS_URL") or f"{tmp_path}/gazecrop.db"
    for arguments in ([], ["--json"]):
        assert main(arguments) == 0
        assert capsys.readouterr().err == f"1 report in {place}\n"
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setenv("GAZECROP_DATA_DIR", str(tmp_path / "absent"))
    assert main([]) == 0
    err = capsys.readouterr().err
    assert f"{tmp_path}/absent/gazecrop.db" in err and "does not exist" in err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:secret@host:6380/2?password=secret", "redis://host:6380/2"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("rediss://:secret@host", "rediss://host"),
    ],
)
def test_the_inbox_is_named_without_its_password(url: str, shown: str) -> None:
    assert _place(Settings(REDIS_URL=url)) == shown


def test_the_export_is_whole_in_any_locale(tmp_path: Path) -> None:
    text = "le café est coupé \U0001f600"

    async def fill() -> None:
        store = open_store(Settings(data_dir=tmp_path))
        await Inbox(store).add(REPORT | {"text": text}, None)
        await store.close()

    asyncio.run(fill())
    environment = os.environ | {"GAZECROP_DATA_DIR": str(tmp_path), "PYTHONIOENCODING": "ascii"}
    for arguments in ([], ["--json"]):
        program = [sys.executable, "-m", "gazecrop", "reports", *arguments]
        done = subprocess.run(program, env=environment, capture_output=True, check=True)
        if arguments:
            assert json.loads(done.stdout)["text"] == text
        else:
            assert b"est coup" in done.stdout


def test_the_command_makes_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GAZECROP_DATA_DIR", str(tmp_path / "absent"))
    assert main([]) == 0
    assert "No reports in" in capsys.readouterr().err
    assert not (tmp_path / "absent").exists()


def test_the_command_names_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GAZECROP_REPORTS_MEGABYTES", "many")
    with pytest.raises(SystemExit) as refused:
        main([])
    assert refused.value.code == 2
    assert capsys.readouterr().err.startswith("GAZECROP_REPORTS_MEGABYTES: ")


def test_the_command_ends_quietly_when_its_output_is_closed(tmp_path: Path) -> None:
    async def fill() -> None:
        store = open_store(Settings(data_dir=tmp_path))
        for _ in range(20):
            await Inbox(store).add(REPORT | {"text": "x" * 4000}, None)
        await store.close()

    asyncio.run(fill())
    listing = subprocess.Popen(
        [sys.executable, "-m", "gazecrop.cli", "reports", "--json"],
        env=os.environ | {"GAZECROP_DATA_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert listing.stdout is not None and listing.stderr is not None
    listing.stdout.close()
    with listing.stderr:
        errors = listing.stderr.read()
    assert (listing.wait(60), errors) == (0, b"")


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

    def kept() -> list[tuple[str, bytes | None]]:
        """The texts and pictures of the reports about this picture."""
        reports = read(server.data_dir / "gazecrop.db")
        return [(one.document["text"], one.picture) for one in reports if one.document["id"] == id]

    assert kept() == [("cut", data)]
    assert api.delete(f"/v1/images/{id}").status_code == 204
    assert kept() == [("cut", None)]


def test_a_report_that_is_no_json_is_refused(api: httpx.Client) -> None:
    assert wrong(api.post("/v1/reports", content=b"{")) == ["body"]


def report_with_picture(api: httpx.Client, data: bytes) -> str:
    id: str = api.post("/v1/images", content=data).json()["id"]
    content = {"id": id, "text": "cut", "picture": base64.b64encode(data).decode()}
    assert api.post("/v1/reports", json=content).status_code == 201
    return id


async def test_deletions_of_one_reported_picture_at_once_all_succeed(
    server: Server, api: httpx.Client
) -> None:
    """Two at once, sixty times: each found the other's file gone, when the pictures were files."""
    ids = [report_with_picture(api, jpeg(seed=900 + number)) for number in range(20)]
    async with httpx.AsyncClient(base_url=server.url) as together:
        for id in ids:
            answers = await asyncio.gather(*(together.delete(f"/v1/images/{id}") for _ in range(6)))
            assert {answer.status_code for answer in answers} == {204}


def test_reports_are_limited_for_each_client_behind_a_trusted_proxy(
    start_server: Callable[..., Server],
) -> None:
    limit = {"GAZECROP_REPORTS_PER_HOUR": "1"}
    trusting = start_server(**limit, FORWARDED_ALLOW_IPS="127.0.0.1,10.0.0.0/8")
    wary = start_server(**limit, FORWARDED_ALLOW_IPS="10.0.0.1")

    def report(server: Server, forwarded: str) -> int:
        content = {"id": ID, "text": "cut"}
        headers = {"X-Forwarded-For": forwarded}
        return httpx.post(f"{server.url}/v1/reports", json=content, headers=headers).status_code

    assert [report(trusting, client) for client in ("1.1.1.1", "1.1.1.2", "1.1.1.1")] == [201, 201, 429]
    assert report(trusting, "9.9.9.9, 1.1.1.1, 10.2.3.4") == 429, "a client invented an address"
    assert [report(wary, client) for client in ("1.1.1.1", "1.1.1.2")] == [201, 429]


@pytest.mark.redis
def test_replicas_share_reports_and_a_deletion_on_one_forgets_for_all(
    start_server: Callable[..., Server], redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"REDIS_URL": f"{redis_server.url}?socket_timeout=2", "GAZECROP_REPORTS_MEGABYTES": "1"}
    first, second = (start_server(**settings) for _ in range(2))
    data = jpeg(seed=950)
    with client(first.url) as one, client(second.url) as other:
        id = report_with_picture(one, data)
        assert report_with_picture(other, data) == id

        async def pictures() -> list[bytes | None]:
            store = open_store(Settings(redis_url=settings["REDIS_URL"]))
            try:
                return [report.picture async for report in store.reports()]
            finally:
                await store.close()

        monkeypatch.setenv("REDIS_URL", settings["REDIS_URL"])
        assert asyncio.run(pictures()) == [data, data]
        assert other.delete(f"/v1/images/{id}").status_code == 204
        assert asyncio.run(pictures()) == [None, None]


def test_a_report_on_a_full_disk_is_507(tmp_path: Path, picture: bytes) -> None:
    with (
        small_disk(tmp_path) as (disk, fill),
        serving(tmp_path, {"GAZECROP_DATA_DIR": str(disk)}) as server,
        client(server.url) as api,
    ):
        id = api.post("/v1/images", content=picture).json()["id"]
        fill()
        for _ in range(2):
            answer = api.post("/v1/reports", json={"id": id, "text": "wrong", "kind": "wrong"})
            problem(answer, 507, "store_full")
        assert "Traceback" not in server.log.read_text()
        (disk / "rest").unlink()
        until(lambda: api.post("/v1/reports", json={"id": id, "kind": "wrong"}).status_code == 201, 20)


def test_a_folder_without_permission_stops_the_start() -> None:
    """As user 65534, since root may write everywhere. The file itself could be written."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gazecrop.db"
        file.touch(0o666)
        file.chmod(0o666)
        Path(folder).chmod(0o555)
        program = (
            "import os; from pathlib import Path; from gazecrop.store.sqlite_file import open_file;"
            f"os.geteuid() or os.setuid(65534); open_file(Path({str(file)!r}))"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        Path(folder).chmod(0o755)
    assert done.returncode == 1 and "cannot be written: no permission" in done.stderr.splitlines()[-1]
    assert "GAZECROP_DATA_DIR" in done.stderr.splitlines()[-1]
