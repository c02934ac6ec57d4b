"""The command line and `import gazecrop` of an environment, in a folder of the corpus' pictures."""

import subprocess
import tempfile
from pathlib import Path

from tests.helpers.answers import pictures
from tests.helpers.answers.recording import Answer
from tests.helpers.answers.servers import environment

AUDIT = (
    "pairs",
    "gaze",
    "changes",
    "people",
    "crowd",
    "fetch-wikicelb",
    "stability",
    "compare",
    "lock",
    "check",
)
# A line of arguments each; what it writes below the folder is recorded, too.
LINES = (
    "", "--help", "--version", "none",
    *(f"{name} --help" for name in ("serve", "crop", "explain", "batch", "audit", "reports", "doctor")),
    *(f"audit {name} --help" for name in AUDIT),
    "audit none", "crop", "crop none.jpg", "crop empty", "crop wide.jpg", "crop wide.jpg below --json",
    "crop wide.jpg text.jpg cut.jpg --ratios 1:1 --json", "crop wide.jpg --ratios x --policy y --zoom 9 --keep 1",
    "crop wide.jpg --policy focus", "crop wide.jpg --width 1 --height 1", "crop wide.jpg --width x",
    "crop wide.jpg below --ratios 1:1,16:9 --policy point --zoom 1.5 --out cut --format webp --width 120 --json",
    "crop below --ratios 4:5 --out kept --height 90 --quality 50 --keep 0.1,0.1,0.2,0.2 --avoid 0.8,0.8,0.1,0.1",
    "crop wide.jpg --ratios 1:1 --candidates 3 --json",
    "explain wide.jpg --out explained.png --ratios 1:1,16:9",
    "explain wide.jpg --out heat.webp --layers heat",
    "explain below/exif6.jpg --out figure.png --figure --ratios 1:1,3:4",
    "explain wide.jpg --out x.txt", "explain wide.jpg --out x.png --layers x", "explain text.jpg --out x.png",
    "batch below rows", "batch below rows", "batch below rows --ratios 1:1",
    "batch below cropped --crops --ratios 1:1 --width 80 --format png --workers 1",
    "batch list.csv listed --column path --ratios 16:9", "batch list.csv unlisted --column none", "batch none nowhere",
    "batch *.jpg globbed --ratios 1:1", "batch below tabled --table parquet --ratios 1:1",
    "audit lock below --ratios 1:1", "audit check below", "reports", "reports --json", "doctor",
)  # fmt: skip
WRONG_SETTINGS = {
    "serve": {"PORT": "70000", "GAZECROP_MAX_BYTES": "x"},
    "crop wide.jpg": {"GAZECROP_MODEL": "none"},
    "doctor": {"GAZECROP_MODEL": "none"},
    "reports": {"GAZECROP_WORKERS": "0"},
}
IMPORTED = """
import hashlib, inspect, io, json, gazecrop
from PIL import Image
def shown(crop):
    box = crop.box
    place = [crop.ratio.text, box.x, box.y, box.width, box.height]
    return [*place, repr(crop.importance), crop.verdict, repr(crop.confidence)]
print(sorted(gazecrop.__all__))
print("__version__", gazecrop.__version__)
for name in ("look", "from_encoded", "Picture.crop", "Picture.crops"):
    found = gazecrop
    for step in name.split("."):
        found = getattr(found, step)
    print(name, inspect.signature(found))
for name in ("wide.jpg", "below/exif6.jpg", "below/rgba.png", "below/flat.png", "below/moving.gif"):
    for given in (name, open(name, "rb").read(), Image.open(name)):
        picture = gazecrop.look(given)
        density = picture.density
        print(name, type(given).__name__, picture, picture.format, picture.model, picture.good_ratios, picture.encoded)
        print(density.shape, density.dtype, hashlib.sha256(density.tobytes()).hexdigest())
        print([(point.x, point.y, point.score) for point in picture.points])
        for options in ({}, {"policy": "point", "zoom": 1.3}, {"focus": (0.2, 0.8)}, {"candidates": 3},
                        {"keep": [(0.1, 0.1, 0.2, 0.2)], "avoid": [(0.7, 0.7, 0.2, 0.2)]}):
            print(options, *map(shown, picture.crops("1:1,16:9,9:16", **options)))
        again = gazecrop.from_encoded(picture.encoded)
        print(again, [shown(crop) for crop in again.crops()] , shown(again.crop(1.5)))
picture = gazecrop.look("wide.jpg")
for wrong in (lambda: gazecrop.look("none.jpg"), lambda: gazecrop.look(b"x"), lambda: gazecrop.look("cut.jpg"),
              lambda: gazecrop.from_encoded("x"), lambda: picture.crop("x"),
              lambda: picture.crop("1:1", policy="focus"),
              lambda: picture.crop("1:1", focus=(2, 0)), lambda: picture.crops("1:1", zoom=9, keep=[(1, 1, 1, 1)])):
    try:
        print(wrong())
    except Exception as error:
        print(type(error).__name__, error, json.dumps(getattr(error, "members", None)))
"""


def record(python: Path) -> list[Answer]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        _fill(folder)
        script = str(python.with_name("gazecrop"))
        answers = []
        for at, line in enumerate(LINES):
            label = f"gazecrop {line}" + " (again)" * (line in LINES[:at])
            answers += _run(folder, label, [script, *line.split()], {})
        for line, settings in WRONG_SETTINGS.items():
            label = " ".join([*(f"{name}={value}" for name, value in settings.items()), "gazecrop", line])
            answers += _run(folder, label, [script, *line.split()], settings)
        return answers + _run(folder, "import gazecrop", [str(python), "-c", IMPORTED], {})


def _fill(folder: Path) -> None:
    files = pictures.files()
    (folder / "below" / "deeper").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "wide.jpg").write_bytes(files["wide.jpg"])
    for name in ("exif6.jpg", "rgba.png", "flat.png", "moving.gif", "cmyk.jpg"):
        (folder / "below" / name).write_bytes(files[name])
    (folder / "below" / "deeper" / "tall.jpg").write_bytes(files["tall.jpg"])
    (folder / "text.jpg").write_bytes(b"This is no picture.")
    (folder / "cut.jpg").write_bytes(files["wide.jpg"][:3000])
    (folder / "list.csv").write_text("path,more\nwide.jpg,1\nbelow/exif6.jpg,2\nnone.jpg,3\n")
    report = '{"report": "0011223344556677", "at": "2026-01-02T03:04:05Z", "id": "%s", "text": "Not she."}\n'
    (folder / "data").mkdir()
    (folder / "data" / "reports.jsonl").write_text(report % ("0" * 32))


def _run(folder: Path, label: str, command: list[str], settings: dict[str, str]) -> list[Answer]:
    """What a command prints, and each file that is there or other than before."""
    before = _files(folder)
    given = environment(
        **{"PORT": "0", "GAZECROP_DATA_DIR": "data", "COLUMNS": "100", "GAZECROP_WORKERS": "2"} | settings
    )
    done = subprocess.run(
        command, cwd=folder, env=given, capture_output=True, stdin=subprocess.DEVNULL, timeout=300
    )
    written = {name: data for name, data in _files(folder).items() if before.get(name) != data}
    found = {"stdout": done.stdout, "stderr": done.stderr} | written
    return [
        Answer(
            f"{label} -> {name}",
            done.returncode,
            (),
            data.replace(str(folder).encode(), b"FOLDER"),
            part="commands",
        )
        for name, data in found.items()
    ]


def _files(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
