"""gazecrop audit stability, compare, lock, check: on a folder of one's own pictures."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path

from PIL import ImageDraw

from gazecrop.audit.material.folder_crops import MOVED, Eyes, Move
from gazecrop.audit.material.maps import Maps
from gazecrop.audit.people_audit import write
from gazecrop.audit.report import crop_moves as tables
from gazecrop.audit.studies import compare, lock_file, stability
from gazecrop.console.environment import read_settings
from gazecrop.console.options import USAGE, exit_status, load
from gazecrop.console.progress import Progress
from gazecrop.console.sources import Item, SourceError, pictures_of
from gazecrop.crop.cropping import Options, Policy
from gazecrop.crop.params import parse
from gazecrop.crop.ratios import Ratio
from gazecrop.pipeline import limits_of

RATIOS = "1:1,4:5,9:16,16:9"
DRAWN = 420  # pixels of a picture in the report


def main(command: str, argv: Sequence[str]) -> int:
    found = argparse.ArgumentParser(prog=f"gazecrop audit {command}")
    found.add_argument("source", metavar="DIR", help="also a glob in quotes, a .tar, or a .csv of paths")
    if command != "check":
        found.add_argument("--ratios", default=RATIOS, metavar="R,R", help="default: %(default)s")
    if command in ("lock", "stability"):
        found.add_argument("--policy", default="window", metavar="P", help="window or point")
    if command in ("lock", "check"):
        lock = Path("gazecrop.lock.json")
        found.add_argument("--lock", type=Path, default=lock, metavar="FILE", help="default: %(default)s")
    if command in ("stability", "compare"):
        found.add_argument("--out", type=Path, default=Path("gazecrop-audit"), metavar="DIR")
        found.add_argument("--no-pictures", action="store_true", help="no pictures in the report")
    if command == "compare":
        found.add_argument("--models", nargs=2, metavar=("A", "B"), help="names in the manifest")
        found.add_argument("--precisions", nargs=2, metavar=("A", "B"), help="fp32, int8")
        found.add_argument("--policies", nargs=2, default=("window", "window"), metavar=("A", "B"))
    if command == "check":
        found.add_argument(
            "--tolerance",
            type=float,
            default=100 * MOVED,
            metavar="PERCENT",
            help="of the frame; default: %(default)g",
        )
        found.add_argument(
            "--allow",
            type=float,
            default=0.0,
            metavar="PERCENT",
            help="of all crops may move more; default: %(default)g",
        )
    options = found.parse_args(argv)
    run = {"stability": steady, "compare": compared, "lock": locked, "check": checked}[command]

    def attempt() -> int:
        try:
            return run(options)
        except SourceError as error:
            print(f"gazecrop audit: {error}", file=sys.stderr)
            return USAGE

    return exit_status(f"audit {command}", attempt)


def steady(options: argparse.Namespace) -> int:
    settings, items = read_settings(), pictures_of(options.source)
    ratios, asked = _ratios(options.ratios), _asked(options.policy)
    with Maps(options.out / "maps.sqlite") as maps, Progress(len(items), plain=60) as progress:
        eyes = Eyes(*load(settings), maps)
        rows, bad = stability.study(
            items, eyes, ratios, asked, settings.workers, lambda failed: progress.step(failed=failed)
        )
    lead = f"{len(items) - len(bad):,} pictures, cropped by {eyes.model.name} before and after what nobody minds."
    explained = (
        f"Moved: the middle of the crop went by more than {100 * MOVED:.0f} % of the frame. Of padded and bordered "
        "pictures counted within the picture itself."
    )
    return _report(options, "How steady are the crops?", lead, explained, rows, bad, items)


def compared(options: argparse.Namespace) -> int:
    settings, items = read_settings(), pictures_of(options.source)
    sides = []
    with Maps(options.out / "maps.sqlite") as maps:
        for number in (0, 1):
            mine: dict[str, str] = {}
            if options.models:
                mine["model"] = options.models[number]
            if options.precisions:
                mine["precision"] = options.precisions[number]
            model, limits = load(settings.model_copy(update=mine))
            sides.append((Eyes(model, limits, maps), _asked(options.policies[number])))
        with Progress(len(items), plain=60) as progress:
            rows, bad = compare.study(
                items,
                (sides[0], sides[1]),
                _ratios(options.ratios),
                settings.workers,
                lambda failed: progress.step(failed=failed),
            )
    names = [f"{eyes.model.name} {eyes.model.precision}, {asked.policy}" for eyes, asked in sides]
    lead = f"{len(items) - len(bad):,} pictures: from {names[0]} to {names[1]}."
    explained = f"Moved: the middle of the crop would go by more than {100 * MOVED:.0f} % of the frame."
    return _report(options, "What would a switch move?", lead, explained, rows, bad, items)


def locked(options: argparse.Namespace) -> int:
    ratios, asked = _ratios(options.ratios), _asked(options.policy)
    model, found = _boxes(options.source, ratios, asked)
    options.lock.write_text(lock_file.text(found, model, ratios, asked.policy), encoding="utf-8")
    print(f"{len(found):,} pictures, {len(found) * len(ratios):,} crops: {options.lock}")
    return 0


def checked(options: argparse.Namespace) -> int:
    """0 when nothing moved beyond what is allowed and nothing is missing; else 1, and what moved."""
    lock = lock_file.read(options.lock)
    model, now = _boxes(options.source, lock["ratios"], _asked(lock["policy"]))
    result = lock_file.compared(lock["pictures"], now)
    beyond = result.beyond(options.tolerance / 100)
    share = 100 * len(beyond) / max(1, len(result.moves))
    for move in beyond[:20]:
        print(f"{move.file} {move.ratio}: moved by {100 * move.far:.1f} % of the frame")
    if len(beyond) > 20:
        print(f"and {len(beyond) - 20:,} more")
    for names, said in ((result.missing, "missing or unreadable"), (result.resized, "of another size")):
        for name in names[:20]:
            print(f"{name}: {said}")
    print(
        f"{len(result.moves):,} crops by {model} (locked: {lock['network']}): {share:.1f} % moved by more than "
        f"{options.tolerance:g} % of the frame; {options.allow:g} % may. {len(result.new)} pictures are not locked."
    )
    return int(share > options.allow or bool(result.missing) or bool(result.resized))


def _boxes(source: str, ratios: Sequence[Ratio], asked: Options) -> tuple[str, dict[str, lock_file.Entry]]:
    settings, items = read_settings(), pictures_of(source)
    with Maps() as maps, Progress(len(items), plain=60) as progress:
        eyes = Eyes(*load(settings), maps)
        found = lock_file.boxes(
            items, eyes, ratios, asked, settings.workers, lambda failed: progress.step(failed=failed)
        )
    return eyes.model.name, found


def _ratios(text: str) -> tuple[Ratio, ...]:
    """Raises BadParameters."""
    return parse(f"ratios={text}").ratios


def _asked(policy: str) -> Options:
    """Raises BadParameters."""
    found: Policy = parse(f"policy={policy}").options.policy
    return replace(Options(), policy=found)


def _report(
    options: argparse.Namespace,
    title: str,
    lead: str,
    explained: str,
    rows: Sequence[stability.Row],
    bad: Sequence[str],
    items: Sequence[Item],
) -> int:
    print(tables.plain(rows))
    draw: Callable[[Move], bytes] | None = None
    if not options.no_pictures:
        draw = partial(_drawn, {item.name: item for item in items})
    write(options.out, tables.data(rows, bad), tables.html(title, lead, explained, rows, bad, draw))
    print(options.out / "report.html")
    return 0 if rows else 1


def _drawn(items: dict[str, Item], move: Move) -> bytes:
    """The picture, with the middle of the crop before (ring) and after (disc), and the way between."""
    picture = stability.upright(items[move.file].read(), limits_of(read_settings()))
    picture.thumbnail((DRAWN, DRAWN))
    pen = ImageDraw.Draw(picture)
    ends = [(x * picture.width, y * picture.height) for x, y in (move.before, move.after)]
    for width, colour in ((7, (16, 16, 20)), (3, (255, 255, 255))):
        pen.line(ends, fill=colour, width=width)
    pen.circle(ends[0], 9, outline=(255, 255, 255), width=4)
    pen.circle(ends[1], 9, fill=(213, 94, 0), outline=(255, 255, 255), width=3)
    file = BytesIO()
    picture.save(file, "JPEG", quality=80)
    return file.getvalue()
