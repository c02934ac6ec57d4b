import csv
import fcntl
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gazecrop.cli import main
from gazecrop.commands.batch import command as batch
from gazecrop.commands.batch import local, results, tables, work
from gazecrop.commands.batch.results import Refused, Results
from gazecrop.commands.batch.work import Job
from gazecrop.console.files import Files
from gazecrop.console.names import name_of
from gazecrop.console.rows import crops_of, row
from gazecrop.console.sources import Item, SourceError, pictures_of
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import Object
from gazecrop.crop.params import parse
from gazecrop.model import Model
from gazecrop.pipeline import Picture
from gazecrop.settings import Settings
from gazecrop.store.base import Record
from tests.helpers import library
from tests.helpers.awaited import Awaited
from tests.helpers.contract import until
from tests.helpers.pictures import jpeg

OPTIONS = ["--ratios", "1:1,16:9", "--workers", "2"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    library.make(folder)
    return folder


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process, for tests that are not about workers: these take 2 s to start."""

    def lines(job: Job, items: Sequence[Item], workers: int) -> Generator[tuple[int, bytes], None, None]:
        model = Model.load(job.settings)
        yield from enumerate(work.lines(items, job, model))

    monkeypatch.setattr(batch, "lines_of_cores", lines)


@pytest.fixture(scope="module")
def plain(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of an undisturbed run."""
    folder = tmp_path_factory.mktemp("plain")
    assert main(["batch", str(source), str(folder), *OPTIONS]) == 1
    return folder


def answers(folder: Path) -> list[dict[str, object]]:
    parts = sorted(folder.glob("part-*"))
    return [json.loads(line) for part in parts for line in part.read_bytes().splitlines()]


def kept(folder: Path) -> dict[str, bytes]:
    """Every file but the temporary ones and batch.json."""
    gone = {".lock", "journal.jsonl", "batch.json"}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in gone
    }


def test_a_folder_becomes_json_lines_in_order(
    source: Path, plain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answers(plain)
    assert [answer["file"] for answer in found] == [item.name for item in pictures_of(str(source))]
    assert [answer["file"] for answer in found if "error" in answer] == library.UNREADABLE
    assert main(["crop", str(source), "--ratios", "1:1,16:9", "--json"]) == 1
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == found


def test_unreadable_pictures_are_listed(
    source: Path, plain: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = (plain / "unreadable.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in listed] == library.UNREADABLE
    assert all(line.split("\t")[1] for line in listed)
    assert main(["batch", str(source), str(plain), *OPTIONS]) == 1  # nothing to do: the summary alone
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == library.UNREADABLE
    assert lines[-1].startswith("boxes of 14 pictures, 2 unreadable")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("kind", ["tar", "glob of tars", "glob", "csv", "csv with a column"])
def test_every_kind_of_source_gives_the_same_boxes(
    source: Path, plain: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    more: list[str] = []
    names = [str(answer["file"]) for answer in answers(plain)]
    if "tar" in kind:
        library.pack(source, tmp_path / "shard-0.tar")
        given, prefix = ("shard-0.tar" if kind == "tar" else "shard-*.tar"), "shard-0.tar/"
    elif kind == "glob":
        given, prefix = f"{source}/**/*.*", f"{source}/"
    else:
        column = "path" if kind == "csv" else "where"
        more = [] if kind == "csv" else ["--column", "where"]
        with (tmp_path / "list.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([["label", column], *(["x", os.path.relpath(source / name)] for name in names)])
        given, prefix = "list.csv", os.path.relpath(source) + "/"
    assert main(["batch", given, "out", *OPTIONS, *more]) == 1
    found = answers(tmp_path / "out")
    for answer in found:
        answer["file"] = str(answer["file"]).removeprefix(prefix)
    assert sorted(found, key=lambda answer: str(answer["file"])) == answers(plain)


@pytest.mark.usefixtures("here")
def test_a_glob_that_the_shell_expanded(
    source: Path, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source)
    names = [str(answer["file"]) for answer in answers(plain)]
    assert main(["batch", *names, str(tmp_path / "out"), *OPTIONS]) == 1
    assert answers(tmp_path / "out") == answers(plain)
    assert main(["batch", names[0], str(tmp_path / "one"), *OPTIONS]) == 0  # that matched one file
    assert answers(tmp_path / "one") == answers(plain)[:1]


def test_a_picture_as_destination_is_refused(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As when a shell expands `batch lib/*.jpg`, and no folder follows."""
    names = sorted(map(str, (source / "a").glob("*.jpg")))
    before = Path(names[-1]).read_bytes()
    assert main(["batch", *names]) == 2
    assert "DST is a folder" in capsys.readouterr().err
    assert Path(names[-1]).read_bytes() == before


@pytest.mark.usefixtures("here")
def test_several_sources_are_named_by_their_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    library.make(tmp_path / "one", 2)
    library.make(tmp_path / "two", 2)
    library.pack(tmp_path / "two", tmp_path / "two" / "two.tar")
    assert main(["batch", "./one", "two/two.tar", "one/sign.png", "out", *OPTIONS]) == 1
    names = [str(answer["file"]) for answer in answers(tmp_path / "out")]
    assert names[:2] == ["./one/a/001.jpg", "./one/a/b/000.jpg"]
    assert "two/two.tar/sign.png" in names and names[-1] == "one/sign.png"
    assert len(names) == 6 + 6 + 1


@pytest.mark.usefixtures("here")
def test_paths_on_standard_input(
    source: Path, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source)
    names = [str(answer["file"]) for answer in answers(plain)]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join([*names, ""]).encode())))
    assert main(["batch", "-", str(tmp_path / "out"), *OPTIONS]) == 1
    assert answers(tmp_path / "out") == answers(plain)


ODD = [b"caf\xe9.jpg", b"cut\xff\t\\ a  b\n.jpg", b"two  spaces.jpg"]


@pytest.mark.usefixtures("here")
@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are always UTF-8")
@pytest.mark.parametrize("table", ["jsonl", "csv"])
def test_any_name_of_a_file_joins_back(tmp_path: Path, table: str) -> None:
    folder, out = os.fsencode(tmp_path / "in"), tmp_path / "out"
    os.mkdir(folder)
    for name in ODD:
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(
            jpeg(300, 200)[: 2000 if b"cut" in name else None]
        )
    command = ["batch", str(tmp_path / "in"), str(out), "--ratios", "1:1", "--table", table, "--crops"]
    assert main(command) == 1
    if table == "jsonl":
        rows = answers(out)
    else:
        with (out / "part-00000.csv").open(newline="", encoding="utf-8") as file:
            rows = [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]
    assert [os.fsencode(name_of(row)) for row in rows] == sorted(ODD)
    assert (out / "unreadable.txt").read_bytes().startswith(b"cut\xff\\t\\\\ a  b\\n.jpg\t")
    assert os.path.exists(os.fsencode(out) + b"/crops/1x1/caf\xe9.jpg")
    before = kept(out)
    assert main(command) == 1  # nothing is answered again
    assert kept(out) == before


@pytest.mark.usefixtures("here")
def test_a_list_that_is_not_utf_8(tmp_path: Path) -> None:
    name = b"caf\xe9.jpg"
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(jpeg(300, 200))
    (tmp_path / "list.csv").write_bytes(b"path\n" + name + b"\n")
    assert main(["batch", str(tmp_path / "list.csv"), str(tmp_path / "out"), *OPTIONS]) == 0
    assert [os.fsencode(name_of(answer)) for answer in answers(tmp_path / "out")] == [name]


@pytest.mark.usefixtures("here")
def test_a_csv_table_has_a_row_for_each_box(source: Path, plain: Path, tmp_path: Path) -> None:
    assert main(["batch", str(source), str(tmp_path / "out"), *OPTIONS, "--table", "csv"]) == 1
    with (tmp_path / "out" / "part-00000.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = []
    for answer in answers(plain):
        for crop in answer.get("crops") or [None]:  # type: ignore[attr-defined]
            focus: Any = answer.get("focus")
            expected.append(
                (
                    answer["file"],
                    *((crop["ratio"], *crop["box"].values(), crop["confidence"]) if crop else (None,) * 6),
                    *((focus["x"], focus["y"]) if focus else (None, None)),
                )
            )
    columns = ("file", "ratio", "x", "y", "width", "height", "confidence", "focus_x", "focus_y")
    found = [tuple(row[column] for column in columns) for row in rows]
    assert found == [tuple("" if value is None else str(value) for value in row) for row in expected]
    assert [row["file"] for row in rows if row["error"]] == library.UNREADABLE


def test_a_table_has_the_objects_and_the_orientation() -> None:
    face = Object("face", 102, 51, 153, 153, 127)  # in 255ths: x 0.4 to 0.6, y 0.2 to 0.6
    grid = SaliencyGrid(np.array([[1, 1, 1, 31, 31]], np.uint8), 1000, 500, rotated=True, objects=(face,))
    picture = Picture(Record("gaze-1", "jpeg", grid.code, 6))
    wanted = parse("ratios=1:1,1:20&policy=centre", frozenset({"ratios", "policy"}))
    line = row("a.jpg", picture, crops_of(picture, wanted))
    for answer in (line, {"file": "b.jpg", "error": {"detail": "no picture"}}):
        assert all(each.keys() <= tables.COLUMNS.keys() for each in tables.rows(answer))
    square, narrow = csv.DictReader(io.StringIO(tables.csv_table([line]).decode()))
    assert json.loads(square["objects"]) == line["objects"] and line["objects"][0]["kind"] == "face"
    counts = ("objects_whole", "objects_cut", "objects_outside", "image_orientation")
    assert [square[name] for name in counts] == ["1", "0", "0", "6"]
    assert [narrow[name] for name in counts] == ["0", "1", "0", "6"]


@pytest.mark.usefixtures("here")
def test_a_redirected_batch_prints_a_line_now_and_then(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "LINE_EVERY", 1e-9)
    assert main(["batch", str(source), str(tmp_path / "out"), *OPTIONS]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if " of 16, " in line]
    assert lines[0].startswith("1 of 16, ") and lines[-1].startswith("16 of 16, ")
    assert lines[-1].endswith("2 unreadable")


@pytest.mark.usefixtures("here")
def test_cropped_files(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["batch", str(source), str(out), *OPTIONS, "--crops", "--width", "64"]) == 1
    assert main(
        ["crop", str(source), "--ratios", "1:1,16:9", "--out", str(tmp_path / "crops"), "--width", "64"]
    )
    assert kept(out / "crops") == kept(tmp_path / "crops") != {}


@pytest.mark.usefixtures("here")
def test_a_second_run_processes_only_new_pictures(source: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    library.make(folder, 4)
    assert main(["batch", str(folder), str(out), *OPTIONS]) == 1
    before = kept(out)
    for path in folder.rglob("*.*g"):
        path.unlink()  # answering these again would be an error
    (folder / "a").mkdir(exist_ok=True)
    (folder / "a" / "0.jpg").write_bytes(jpeg())
    assert main(["batch", str(folder), str(out), *OPTIONS]) == 1
    after = kept(out)
    assert before["part-00000.jsonl"] == after["part-00000.jsonl"]
    assert [answer["file"] for answer in answers(out)][-1] == "a/0.jpg"
    assert set(after) - set(before) == {"part-00001.jsonl"}


def test_a_destination_of_other_options_is_refused(
    source: Path, plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["batch", str(source), str(plain), "--ratios", "1:1"]) == 2
    assert "ratios was ['1:1', '16:9'], now ['1:1']" in capsys.readouterr().err
    (tmp_path / "part-00000.jsonl").write_bytes(b"")
    assert main(["batch", str(source), str(tmp_path), *OPTIONS]) == 2


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ("nothing", "does not exist"),
        ("*.jpg", "no pictures"),
        ("empty", "no pictures"),
        ("text.txt", "neither"),
        ("broken.tar", "complete, uncompressed tar"),
        ("packed.tar", "complete, uncompressed tar"),
        ("list.csv", "--column"),
    ],
)
def test_invalid_sources(
    given: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "broken.tar").write_bytes(b"nothing" * 200)
    (tmp_path / "packed.tar").write_bytes(b"\x1f\x8b\x08" + bytes(600))
    (tmp_path / "list.csv").write_text("a,b\n1,2\n")
    assert main(["batch", given, "out"]) == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_list_is_deduplicated_and_its_column_checked(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("\ufefffile\na.jpg\n\nb.jpg\na.jpg\n", encoding="utf-8")
    items = pictures_of(str(tmp_path / "list.csv"))
    assert [item.name for item in items] == ["a.jpg", "b.jpg"]
    with pytest.raises(SourceError, match="has the columns file, not nose"):
        pictures_of(str(tmp_path / "list.csv"), "nose")


def test_a_tar_that_was_cut_after_it_was_listed(tmp_path: Path) -> None:
    library.make(tmp_path / "in", 2)
    library.pack(tmp_path / "in", tmp_path / "x.tar")
    item = next(item for item in pictures_of(str(tmp_path / "x.tar")) if item.name.endswith("001.jpg"))
    assert item.read() == (tmp_path / "in" / "a" / "001.jpg").read_bytes()
    with (tmp_path / "x.tar").open("r+b") as file:
        file.truncate(item.offset + 10)
    with pytest.raises(OSError, match="ends before"):
        item.read()


# Resuming.


def lines(folder: Path, names: list[str]) -> dict[str, bytes]:
    return {name: json.dumps({"file": name}).encode() + b"\n" for name in names}


def fill(folder: Path, names: list[str], count: int) -> None:
    """Answers `count` of what is missing, the last first."""
    with Results(folder, {}, names, "jsonl") as kept:
        for part, place, name in list(kept.missing())[::-1][:count]:
            kept.add(part, place, lines(folder, [name])[name])
        kept.finish()


def test_answers_survive_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "PART", 3)
    names = [f"{i}.jpg" for i in range(8)]
    for step in (1, 3, 2, 1, 1):
        fill(tmp_path, names, step)
    whole = b"".join(lines(tmp_path, names).values())
    assert b"".join(part.read_bytes() for part in sorted(tmp_path.glob("part-*"))) == whole
    assert len(list(tmp_path.glob("part-*"))) == 3
    assert (tmp_path / "journal.jsonl").read_bytes() == b""


def test_a_torn_line_of_the_journal_is_answered_again(tmp_path: Path) -> None:
    names = [f"{i}.jpg" for i in range(4)]
    fill(tmp_path, names, 2)
    journal = tmp_path / "journal.jsonl"
    for torn in (b'0 0 {"file":', b"0 0", b"0 x {}\n", b"\x00" * 40 + b"\n", b"0 0 {]\n"):
        journal.write_bytes(journal.read_bytes() + torn)
        with Results(tmp_path, {}, names, "jsonl") as kept:
            assert [name for _, _, name in kept.missing()] == names[:2]
    fill(tmp_path, names, 2)
    assert (tmp_path / "part-00000.jsonl").read_bytes() == b"".join(lines(tmp_path, names).values())


def test_the_journal_keeps_only_what_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "PART", 10)
    monkeypatch.setattr(results, "_JOURNAL_LIMIT", 500)
    names = [f"{i}.jpg" for i in range(200)]
    with Results(tmp_path, {}, names, "jsonl") as kept:
        for part, place, name in kept.missing():
            kept.add(part, place, lines(tmp_path, [name])[name])
            assert (tmp_path / "journal.jsonl").stat().st_size < 1000
        kept.finish()
    assert len(list(tmp_path.glob("part-*"))) == 20


def test_two_batches_do_not_share_a_folder(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Refused, match="another batch"):
            Results(tmp_path, {}, ["a.jpg"], "jsonl")
    with Results(tmp_path, {}, ["a.jpg"], "jsonl") as free:
        assert free.total == 1


@pytest.mark.usefixtures("here")
def test_a_picture_removed_since_the_plan_is_listed_as_unreadable(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    library.make(folder, 2)
    parameters = out / "batch.json"
    assert main(["batch", str(folder), str(out), *OPTIONS]) == 1
    stored = parameters.read_bytes()
    for path in out.glob("*"):
        path.unlink()
    (out / "batch.json").write_bytes(stored)
    (out / "plan.jsonl").write_text('["gone.jpg","a/001.jpg"]\n')
    assert main(["batch", str(folder), str(out), *OPTIONS]) == 1
    assert [answer["file"] for answer in answers(out)][:2] == ["gone.jpg", "a/001.jpg"]
    assert "gone.jpg\tno longer in the source" in (out / "unreadable.txt").read_text()


class Deadly(Files):
    """Kills the worker that writes one of the crops."""

    def write(self, name: str, *_: object) -> None:
        if name == "a/001.jpg":
            os.kill(os.getpid(), signal.SIGKILL)


def test_only_the_picture_that_kills_workers_is_given_up(source: Path, tmp_path: Path) -> None:
    job = Job(Settings(device="cpu"), parse("ratios=1:1"), Deadly(tmp_path))
    items = pictures_of(str(source))
    found = {place: json.loads(line) for place, line in local.lines(job, items, 2)}
    assert sorted(found) == list(range(len(items)))
    failed = {answer["file"]: answer["error"]["detail"] for answer in found.values() if "error" in answer}
    assert sorted(failed) == sorted([*library.UNREADABLE, "a/001.jpg"])
    assert failed["a/001.jpg"] == "the worker process died"


def test_workers_that_cannot_start_raise(source: Path, tmp_path: Path) -> None:
    job = Job(Settings(model="none"), parse(""), None)
    with pytest.raises(local.WorkersDie):
        list(local.lines(job, pictures_of(str(source)), 1))


def test_a_write_error_stops_the_batch(source: Path, tmp_path: Path) -> None:
    (tmp_path / "1x1").write_bytes(b"")  # so that no folder can be created
    job = Job(Settings(device="cpu"), parse("ratios=1:1"), Files(tmp_path))
    with pytest.raises(OSError, match="1x1"):
        list(local.lines(job, pictures_of(str(source)), 1))


@contextmanager
def begin(source: Path, out: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """In a session of its own; killed if the test fails."""
    program = [sys.executable, "-m", "gazecrop.cli", "batch", str(source), str(out), *OPTIONS, *more]
    with subprocess.Popen(
        program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def journaled(out: Path) -> list[bytes]:
    path = out / "journal.jsonl"
    return path.read_bytes().splitlines() if path.exists() else []


def children(pid: int) -> list[int]:
    """Child processes of all its threads; none of a process that has just ended."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.usefixtures("here")
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_kill_9_loses_nothing_and_leaves_no_process(tmp_path: Path) -> None:
    source, whole, out = tmp_path / "in", tmp_path / "whole", tmp_path / "out"
    names = library.make(source, 60)
    assert main(["batch", str(source), str(whole), *OPTIONS, "--crops"]) == 1

    last = source / names[-1]
    spare = last.rename(tmp_path / "spare")
    with Awaited(last), begin(source, out, "--crops") as running:
        until(lambda: len(journaled(out)) >= 16, 60)
        workers = children(running.pid)
        running.kill()
    until(lambda: not any(map(alive, workers)), 60)
    spare.rename(last)
    answered = [json.loads(line.split(b" ", 2)[2])["file"] for line in journaled(out) if line.endswith(b"}")]
    assert 16 <= len(answered) < 64  # it was killed in the middle
    for name in answered:
        (source / name).unlink()  # reading one of these again would be an error
        (source / name).touch()
    assert main(["batch", str(source), str(out), *OPTIONS, "--crops"]) == 1
    assert kept(out) == kept(whole)


@pytest.mark.usefixtures("here")
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_killed_worker_loses_no_picture(tmp_path: Path) -> None:
    source, whole, out = tmp_path / "in", tmp_path / "whole", tmp_path / "out"
    names = library.make(source, 40)
    assert main(["batch", str(source), str(whole), *OPTIONS]) == 1
    last = source / names[-1]
    spare = last.rename(tmp_path / "spare")
    with Awaited(last), begin(source, out) as running:
        until(lambda: len(journaled(out)) >= 8, 60)
        spare.rename(last)  # a worker blocked on the pipe ends with the other one
        os.kill(
            max(children(running.pid)), signal.SIGKILL
        )  # the last started: not the one that tracks resources
        assert running.wait(120) == 1
    assert kept(out) == kept(whole)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_ctrl_c_stops_and_names_the_way_to_resume(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    names = library.make(source, 60)
    with Awaited(source / names[-1]) as held, begin(source, out) as running:
        until(lambda: len(journaled(out)) >= 8, 60)
        os.killpg(running.pid, signal.SIGINT)

        def ended() -> bool:
            held.let_go()
            return running.poll() is not None

        until(ended, 60)
        assert running.wait(60) == 130
        assert running.stderr is not None
        stderr = running.stderr.read().decode()
    assert stderr == "gazecrop batch: stopped; the same command resumes it\n"


@pytest.mark.usefixtures("here")
@pytest.mark.long
def test_parquet_in_and_out(source: Path, plain: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    names = [str(answer["file"]) for answer in answers(plain)]
    table = pyarrow.table({"path": [str(source / name) for name in names], "label": range(len(names))})
    parquet.write_table(table, tmp_path / "list.parquet")
    out = tmp_path / "out"
    assert main(["batch", str(tmp_path / "list.parquet"), str(out), *OPTIONS, "--table", "parquet"]) == 1
    rows = parquet.read_table(out / "part-00000.parquet").to_pylist()
    expected = []
    for answer in answers(plain):
        for crop in answer.get("crops") or [{}]:  # type: ignore[attr-defined]
            expected.append((str(source / str(answer["file"])), crop.get("ratio"), crop.get("box")))
    assert [
        (row["file"], row["ratio"], row["x"] and {key: row[key] for key in ("x", "y", "width", "height")})
        for row in rows
    ] == [(file, ratio, box and box["x"] and box) for file, ratio, box in expected]
    assert [row["file"] for row in rows if row["error"]] == [
        str(source / name) for name in library.UNREADABLE
    ]
    assert all(row["error"] or 0 < row["importance_fraction"] <= 1 for row in rows)
    assert all(row["error"] or 0 <= row["focus_x"] <= 1 and 0 <= row["focus_y"] <= 1 for row in rows)
    confidences = [
        row["confidence"] for row in rows if not (row["error"] or row["file"].endswith("flat.png"))
    ]
    assert confidences and all(0 < confidence <= 1 for confidence in confidences)
    assert all(
        row["error"] or abs(row["importance_fraction"] - row["centre_fraction"] - row["gain"]) < 0.00016
        for row in rows
    )


MANY = 600  # pictures, beside the four of library.make


@pytest.mark.usefixtures("here")
@pytest.mark.long
def test_ray_with_a_killed_worker_gives_the_same_files(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    # So many that the batch goes on for seconds after its first answers, also on a machine three times as fast.
    source, whole, out = tmp_path / "in", tmp_path / "whole", tmp_path / "out"
    library.make(source, MANY)
    assert main(["batch", str(source), str(whole), *OPTIONS, "--crops"]) == 1

    with begin(source, out, "--crops", "--ray", "local") as running:
        until(lambda: len(journaled(out)) >= 16, 120)
        workers = until(lambda: [pid for pid in descendants(running.pid) if working(pid)], 60)
        os.kill(workers[0], signal.SIGKILL)
        assert len(journaled(out)) < MANY + 4  # it was killed in the middle
        assert running.wait(300) == 1
        assert running.stderr is not None
        lines = running.stderr.read().decode().splitlines()
    assert kept(out) == kept(whole)
    ours = re.compile(
        rf"\d+ of {MANY + 4}, .* left|(cut|empty)\.jpg: .*|boxes of {MANY + 2} pictures, 2 unreadable: .*"
    )
    assert [line for line in lines if not ours.match(line)] == []  # nothing of Ray's


def descendants(pid: int) -> list[int]:
    found = children(pid)
    return found + [below for child in found for below in descendants(child)]


def working(pid: int) -> bool:
    """A worker of Ray that runs our stages, by its process title."""
    try:
        return b"MapWorker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
