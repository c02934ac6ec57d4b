"""Two networks, or two settings, on one library: which crops would move, and how far, before anything is switched."""

from collections.abc import Callable, Sequence

from gazecrop.audit.material.folder_crops import Eyes, Move, crops, middle, over
from gazecrop.audit.studies.stability import Row, row
from gazecrop.console.sources import Item
from gazecrop.crop.cropping import Options
from gazecrop.crop.ratios import Ratio

Side = tuple[Eyes, Options]


def study(
    items: Sequence[Item],
    sides: tuple[Side, Side],
    ratios: Sequence[Ratio],
    threads: int,
    step: Callable[[bool], None],
) -> tuple[list[Row], list[str]]:
    """A row for each ratio and one for all; and what could not be read."""

    def work(item: Item) -> list[Move]:
        data = item.read()
        croppers = [eyes.cropper(data) for eyes, _ in sides]
        found = [
            crops(cropper, ratios, options) for cropper, (_, options) in zip(croppers, sides, strict=True)
        ]
        return [
            Move(item.name, text, middle(found[0][text], croppers[0]), middle(found[1][text], croppers[1]))
            for text in found[0]
        ]

    moves: list[Move] = []
    unreadable = []
    for item, answer in over(items, work, threads, step):
        if answer is None:
            unreadable.append(item.name)
        else:
            moves += answer
    if not moves:
        return [], unreadable
    apart = [row(ratio.text, [move for move in moves if move.ratio == ratio.text]) for ratio in ratios]
    return [row("all ratios", moves), *apart], unreadable
