import base64
import io
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from gazecrop.cli import main
from gazecrop.console.files import Files, pictures_below
from gazecrop.console.names import name_of
from gazecrop.console.progress import Progress
from tests.helpers import library
from tests.helpers.animations import animation, moving
from tests.helpers.awaited import Awaited
from tests.helpers.pictures import draw, encode, jpeg


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "cat.jpg"
    path.write_bytes(jpeg(640, 480))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:  # from argparse
        status = int(stop.code or 0)
    return status, *capsys.readouterr()


def test_a_table_of_boxes(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "crop", picture, "--ratios", "1:1,16:9")
    assert (status, err) == (0, "")
    head, square, wide = out.splitlines()
    assert head == f"{picture}  640x480"
    assert square.split()[0] == "1:1" and "480x480" in square
    assert wide.split()[0] == "16:9" and "640x360" in wide


def test_json_is_the_api_s_document_without_a_server_s_fields(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "crop", picture, "--ratios", "1:1", "--policy", "window", "--json")
    answer = json.loads(out)
    assert status == 0
    assert answer["file"] == str(picture)
    assert answer["image"] == {"width": 640, "height": 480, "format": "jpeg", "orientation": 1}
    assert not {"id", "version"} & answer.keys()
    assert answer["saliency"]["encoded"].startswith("R0Mx")
    (crop,) = answer["crops"]
    assert crop["box"]["width"] == crop["box"]["height"] == 480
    assert 0 < crop["confidence"] < 1
    assert abs(answer["focus"]["x"] - 0.3) < 0.1 and abs(answer["focus"]["y"] - 0.4) < 0.1  # the disc


def test_without_ratios_every_profile(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "crop", picture, "--json")
    assert len(json.loads(out)["crops"]) == 10


def test_the_parameters_of_the_api_have_the_same_effect(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--ratios", "1:1", "--zoom", "2", "--candidates", "3", "--keep", "0.8,0.1,0.1,0.1"]
    _, out, _ = run(capsys, "crop", picture, *arguments, "--policy", "window", "--json")
    (crop,) = json.loads(out)["crops"]
    box = crop["box"]
    assert box["width"] == 240
    assert box["x"] <= 0.8 * 640 and box["x"] + 240 >= 0.9 * 640
    assert len(crop["alternatives"]) <= 2
    _, out, _ = run(capsys, "crop", picture, "--ratios", "1:1", "--policy", "centre", "--json")
    assert json.loads(out)["crops"][0]["box"]["x"] == 80
    _, out, _ = run(capsys, "crop", picture, "--ratios", "1:1", "--avoid", "0.1,0.1,0.5,0.8", "--json")
    assert json.loads(out)["crops"][0]["unmet"] == [{"parameter": "avoid", "value": "0.1,0.1,0.5,0.8"}]


def test_what_people_ask_for(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    near = [
        "--zoom",
        "auto",
        "--fill",
        "0.5",
        "--align",
        "0.5,0.4",
        "--overlay",
        "0,0.8,1,0.2",
        "--fields",
        "kirby",
    ]
    status, out, _ = run(capsys, "crop", picture, "--ratios", "1:1", *near, "--json")
    (crop,) = json.loads(out)["crops"]
    assert status == 0 and crop["policy"] == "subject" and crop["zoom"] > 1 and "%" in crop["fields"]["kirby"]
    parts = ["--breakpoints", "1:1@480,16:9", "--src", "/{ratio}.jpg", "--alt", "A <cat>"]
    status, out, _ = run(capsys, "crop", picture, *parts)
    assert (
        status == 0 and out.startswith("<picture>\n") and 'src="/16x9.jpg"' in out and "A &lt;cat&gt;" in out
    )
    _, out, _ = run(capsys, "crop", picture, *parts, "--json")
    answer = json.loads(out)
    assert answer["picture"].endswith("</picture>") and [c["ratio"] for c in answer["crops"]] == [
        "1:1",
        "16:9",
    ]
    for wrong in (
        ["--src", "a.jpg"],
        ["--breakpoints", "1:1@480"],
        ["--fill", "0.5"],
        ["--fields", "drupal"],
    ):
        status, _, err = run(capsys, "crop", picture, *wrong)
        assert status == 2 and wrong[0] in err


def test_keep_and_avoid_apply_in_the_order_of_the_command_line(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right = "0,0,0.1,0.1", "0.9,0,0.1,0.1"
    for first, last in (("keep", "avoid"), ("avoid", "keep")):
        _, out, _ = run(
            capsys, "crop", picture, "--ratios", "1:1", f"--{first}", left, f"--{last}", left, "--json"
        )
        assert [each["parameter"] for each in json.loads(out)["crops"][0]["unmet"]] == [last]
    _, out, _ = run(capsys, "crop", picture, "--ratios", "1:1", "--keep", left, "--keep", right, "--json")
    assert [each["value"] for each in json.loads(out)["crops"][0]["unmet"]] == [right]


def test_all_errors_are_reported_together(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "crop", picture, "--ratios", "1:1,banana", "--zoom", "9", "--keep", "1")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 3
    assert all(name in err for name in ("--ratios", "banana", "--zoom", "--keep"))
    status, _, err = run(capsys, "crop", picture, "--policy", "focus")
    assert status == 2 and "--policy" in err
    status, _, err = run(capsys, "crop", picture, "--width", "0", "--out", "x")
    assert status == 2 and "--width" in err


@pytest.mark.parametrize("command", ["crop", "batch"])
def test_width_and_height_together_are_refused(
    command: str, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Together they would distort the crop."""
    place = ["--out", tmp_path / "out"] if command == "crop" else [tmp_path / "out", "--crops"]
    status, out, err = run(
        capsys, command, picture.parent, *place, "--ratios", "1:1", "--width", "300", "--height", "100"
    )
    assert (status, out) == (2, "") and "--height" in err and "not both" in err
    assert not (tmp_path / "out").exists()
    assert run(capsys, "crop")[0] == 2


def test_an_invalid_setting_is_reported_by_its_name(
    picture: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAZECROP_MODEL", "no-such")
    status, _, err = run(capsys, "crop", picture)
    assert status == 2 and "GAZECROP_MODEL" in err
    monkeypatch.setenv("GAZECROP_WORKERS", "many")
    status, _, err = run(capsys, "crop", picture)
    assert status == 2 and err.startswith("GAZECROP_WORKERS")


def test_unreadable_pictures_do_not_stop_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = library.make(tmp_path)
    status, out, err = run(capsys, "crop", tmp_path, "--ratios", "1:1", "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert [answer["file"] for answer in answers] == names
    assert [answer["file"] for answer in answers if "error" in answer] == library.UNREADABLE
    assert [line.partition(":")[0] for line in err.splitlines()] == library.UNREADABLE
    assert "\r" not in err  # no progress bar without a terminal
    _, table, again = run(capsys, "crop", tmp_path, "--ratios", "1:1")
    assert [line.split()[0] for line in table.splitlines() if line[0] != " "] == [
        name for name in names if name not in library.UNREADABLE
    ]
    assert again == err


def test_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "crop", tmp_path / "none.jpg")
    assert (status, err) == (1, f"{tmp_path}/none.jpg: No such file or directory\n")


def test_a_folder_without_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "crop", tmp_path) == (2, "", "gazecrop crop: there are no pictures\n")


def test_pictures_of_the_same_name_have_separate_outputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, width in (("a", 300), ("b", 320)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "cat.jpg").write_bytes(jpeg(width, 200))
    arguments = ["--ratios", "3:1", "--json", "--out", tmp_path / "out"]
    _, out, _ = run(capsys, "crop", tmp_path / "a" / "cat.jpg", tmp_path / "b", *arguments)
    names = [json.loads(line)["file"] for line in out.splitlines()]
    assert names == [str(tmp_path / "a" / "cat.jpg"), str(tmp_path / "b" / "cat.jpg")]
    widths = []
    for path in sorted((tmp_path / "out").rglob("*.jpg")):
        with Image.open(path) as cropped:
            widths.append(cropped.width)
    assert sorted(widths) == [300, 320]


@pytest.mark.parametrize("stop", ["interrupt", "closed pipe"])
def test_it_stops_at_once(tmp_path: Path, stop: str) -> None:
    """Neither Ctrl-C nor `| head` waits for the remaining pictures."""
    names = library.make(tmp_path / "in", 120)
    arguments = [str(tmp_path / "in"), "--json", "--ratios", "1:1", "--out", str(tmp_path / "out")]
    program = [sys.executable, "-m", "gazecrop.cli", "crop", *arguments]
    environment = os.environ | {"GAZECROP_WORKERS": "2"}
    with (
        Awaited(tmp_path / "in" / names[10]) as one,
        Awaited(tmp_path / "in" / names[11]) as other,
        subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process,
        ExitStack() as failed,
    ):
        failed.callback(process.kill)
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline()
        for picture in (one, other):  # both workers are blocked now
            picture.reached()
        if stop == "interrupt":
            process.send_signal(signal.SIGINT)
        else:
            process.stdout.close()
        for picture in (one, other):
            picture.give(jpeg())
        if stop == "interrupt":
            process.stdout.read()
        assert process.wait(60) == (130 if stop == "interrupt" else 0)
        assert process.stderr.read() == b""
    assert len(list((tmp_path / "out").rglob("*.jpg"))) < 60


def test_names_join_back_to_what_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a/cat.jpg", "b/deep/cat.jpg", "two  spaces.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(jpeg(300, 200))
    given = ["./a/cat.jpg", "b", "two  spaces.jpg", "./a/cat.jpg"]
    _, out, _ = run(capsys, "crop", *given, "--ratios", "1:1", "--json")
    names = [json.loads(line)["file"] for line in out.splitlines()]
    assert names == ["./a/cat.jpg", "b/deep/cat.jpg", "two  spaces.jpg"]
    _, out, _ = run(capsys, "crop", "b", "--ratios", "1:1", "--json")
    assert json.loads(out)["file"] == "deep/cat.jpg"  # of one folder: relative to it, as batch


def test_a_dash_reads_standard_input(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "crop", picture, "--ratios", "1:1,2:1", "--json", "--out", tmp_path / "file")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(picture.read_bytes())))
    status, out, err = run(capsys, "crop", "-", "--ratios", "1:1,2:1", "--json", "--out", tmp_path / "stdin")
    assert (status, err) == (0, "")
    assert json.loads(out)["file"] == "-"
    for ratio in ("1x1", "2x1"):
        expected = (tmp_path / "file" / ratio / "cat.jpg").read_bytes()
        assert (tmp_path / "stdin" / ratio / "stdin.jpg").read_bytes() == expected


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are always UTF-8")
def test_names_that_are_not_utf_8(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    names = [b"caf\xe9.jpg", b"cut\xff.jpg", b"plain.jpg"]
    for name in names:
        data = jpeg(300, 200)[: 2000 if b"cut" in name else None]
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(data)
    arguments = ["crop", str(tmp_path), "--ratios", "1:1"]
    assert main([*arguments, "--json", "--out", str(tmp_path / "out")]) == 1
    out, err = capfdbinary.readouterr()
    answers = [json.loads(line) for line in out.splitlines()]
    assert [os.fsencode(name_of(answer)) for answer in answers] == names
    assert [answer["file"] for answer in answers] == ["caf\ufffd.jpg", "cut\ufffd.jpg", "plain.jpg"]
    assert ["file_base64" in answer for answer in answers] == [True, True, False]
    assert base64.b64decode(answers[0]["file_base64"]) == names[0]
    assert b"cut" in err
    assert os.path.exists(os.fsencode(tmp_path) + b"/out/1x1/caf\xe9.jpg")
    assert main(arguments) == 1
    out, _ = capfdbinary.readouterr()
    assert "caf\ufffd.jpg  300x200" in out.decode()


def test_the_table_shows_unmet_constraints_and_alternatives(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["crop", picture, "--ratios", "1:3", "--candidates", "3", "--avoid", "0,0,1,1"]
    _, out, _ = run(capsys, *arguments)
    _, text, _ = run(capsys, *arguments, "--json")
    (crop,) = json.loads(text)["crops"]
    assert crop["alternatives"]
    lines = [line.split() for line in out.splitlines()[2:]]
    assert [line for line in lines if line[0] == "unmet"] == [["unmet", "avoid", "0,0,1,1"]]
    shown = [line for line in lines if line[0] == "or"]
    assert [line[1:] for line in shown] == [
        [
            f"{other['box']['x']},{other['box']['y']}",
            f"{other['box']['width']}x{other['box']['height']}",
            f"{other['importance_fraction']:.3f}",
            other["verdict"],
        ]
        for other in crop["alternatives"]
    ]


@pytest.mark.parametrize(
    "option",
    [["--width", "9"], ["--height", "9"], ["--quality", "9"], ["--format", "png"], ["--animated"]],
)
@pytest.mark.parametrize("command", ["crop", "batch"])
def test_options_of_files_without_files_are_refused(
    command: str, option: list[str], picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [] if command == "crop" else [tmp_path / "out"]
    status, text, err = run(capsys, command, picture.parent, *out, *option)
    assert (status, text) == (2, "")
    assert err.startswith(f"gazecrop {command}: {option[0]}: ")
    assert ("--out DIR" if command == "crop" else "--crops") in err
    assert not (tmp_path / "out").exists()


def test_cropped_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    names = library.make(source, 3)
    status, text, _ = run(capsys, "crop", source, "--ratios", "1:1,16:9", "--out", out, "--json")
    answers = {answer["file"]: answer for answer in map(json.loads, text.splitlines())}
    assert status == 1
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    good = [name for name in names if name not in library.UNREADABLE]
    assert files == sorted(
        f"{ratio}/{name}{'.jpg' if name.endswith('png') else ''}"
        for ratio in ("1x1", "16x9")
        for name in good
    )
    for name, ratio in ((good[0], 0), (good[0], 1), ("sign.png", 0)):
        box = answers[name]["crops"][ratio]["box"]
        suffix = ".jpg" if name.endswith("png") else ""
        with Image.open(out / ("1x1", "16x9")[ratio] / f"{name}{suffix}") as cropped:
            assert (cropped.format, cropped.size) == ("JPEG", (box["width"], box["height"]))


def test_cropped_files_in_a_size_and_a_format(picture: Path, tmp_path: Path) -> None:
    arguments = ["--ratios", "1:1,square", "--format", "webp", "--width", "100", "--quality", "50"]
    assert main(["crop", str(picture), "--out", str(tmp_path), *arguments]) == 0
    with Image.open(tmp_path / "1x1" / "cat.jpg.webp") as cropped:
        assert (cropped.format, cropped.size) == ("WEBP", (100, 100))
    assert [path.name for path in (tmp_path / "1x1").iterdir()] == ["cat.jpg.webp"]  # no temporary files


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/cat.jpg", "o/1.91x1/a/cat.jpg"),
        ("cat.JPEG", "o/1.91x1/cat.JPEG"),
        ("cat.png", "o/1.91x1/cat.png.jpg"),
        ("../../etc/cat.jpg", "o/1.91x1/_/_/etc/cat.jpg"),
        ("/etc/cat.jpg", "o/1.91x1/etc/cat.jpg"),
        ("./a//cat.jpg", "o/1.91x1/a/cat.jpg"),
        ("C:\\x\\..\\cat.jpg", "o/1.91x1/C_/x/_/cat.jpg"),
        ("shard.tar/0001.webp", "o/1.91x1/shard.tar/0001.webp.jpg"),
    ],
)
def test_a_crop_is_written_below_its_folder_for_any_name(name: str, path: str) -> None:
    assert Files(Path("o")).path(name, "1.91:1") == Path(path)


def test_pictures_of_a_folder(tmp_path: Path) -> None:
    assert pictures_below(tmp_path) == []
    names = library.make(tmp_path, 2)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.jpg").write_bytes(b"")
    (tmp_path / "SHOUT.JPG").write_bytes(encode(draw(32, 32), "JPEG"))
    assert pictures_below(tmp_path) == sorted([*names, "SHOUT.JPG"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_is_one_bar_that_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("tqdm.std.time", lambda: now)
    terminal = Terminal()
    with Progress(1000, 100, stream=terminal) as progress:
        for step in range(90):
            now += 0.5
            progress.step(failed=step == 3)
    shown = terminal.getvalue().split("\r")
    assert shown[-3].startswith(" 19%|")
    assert shown[-3].rstrip().endswith("| 190 of 1,000 [00:45<06:45, 2.00/s, 1 unreadable]")
    assert shown[-2].strip() == shown[-1] == ""
    assert "\n" not in terminal.getvalue()


def test_progress_on_a_pipe_is_silent_or_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("tqdm.std.time", lambda: now)
    silent, log = io.StringIO(), io.StringIO()
    with Progress(9000, stream=silent) as first, Progress(9000, plain=60, stream=log) as second:
        for _ in range(150):
            now += 1
            first.step()
            second.step()
    assert silent.getvalue() == ""
    assert log.getvalue().splitlines() == [
        "60 of 9,000, 1.00/s, 2:29:00 left",
        "120 of 9,000, 1.00/s, 2:28:00 left",
    ]


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from gazecrop.cli import main; main(['--help']);"
        "print([name for name in ('numpy', 'PIL', 'onnxruntime', 'pydantic', 'fastapi') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    assert "crops of a file" in done.stdout


def test_cropped_animations_stay_animated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cat.gif"
    path.write_bytes(animation("gif", moving(4), duration=70))
    out = tmp_path / "crops"

    def frames(name: str, *arguments: str) -> int:
        assert run(capsys, "crop", path, "--ratios", "1:1", "--out", out, *arguments)[0] == 0
        with Image.open(out / "1x1" / name) as file:
            return int(getattr(file, "n_frames", 1))

    assert frames("cat.gif.jpg") == 1
    assert frames("cat.gif.webp", "--format", "webp") == 4
    assert frames("cat.gif", "--format", "gif", "--width", "40") == 4
    assert frames("cat.gif.png", "--format", "png", "--animated") == 4
    assert frames("cat.gif.webp", "--format", "webp", "--no-animated") == 1
    _, text, _ = run(capsys, "crop", path, "--json")
    assert json.loads(text)["image"]["frames"] == 4
    status, _, error = run(capsys, "crop", path, "--out", out, "--animated")
    assert status == 2 and "--animated" in error and "webp" in error
