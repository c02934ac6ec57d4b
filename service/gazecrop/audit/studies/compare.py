"""Two networks or two settings on the same pictures: which crops differ, and by how much."""

from collections.abc import Callable, Sequence

from gazecrop.audit.material.folder_crops import CachedPipeline, Move, centre, crops_by_ratio, each_picture
from gazecrop.audit.studies.stability import Row, row
from gazecrop.console.sources import Item
from gazecrop.crop.cropping import Options
from gazecrop.crop.ratios import Ratio

ALL = "all ratios"  # name of the first row

Side = tuple[CachedPipeline, Options]


def same(one: Side, other: Side) -> bool:
    """Whether both sides must give the same crops: the same file of weights and the same options."""
    return one[0].model.sha256 == other[0].model.sha256 and one[1] == other[1]


def study(
    items: Sequence[Item],
    sides: tuple[Side, Side],
    ratios: Sequence[Ratio],
    threads: int,
    step: Callable[[bool], None],
) -> tuple[list[Row], list[str]]:
    """A row for all ratios and one for each; and the names of unreadable pictures."""

    def work(item: Item) -> list[Move]:
        data = item.read()
        croppers = [pipeline.cropper(data) for pipeline, _ in sides]
        found = [
            crops_by_ratio(cropper, ratios, options)
            for cropper, (_, options) in zip(croppers, sides, strict=True)
        ]
        return [
            Move(item.name, text, centre(found[0][text], croppers[0]), centre(found[1][text], croppers[1]))
            for text in found[0]
        ]

    moves: list[Move] = []
    unreadable = []
    for item, answer in each_picture(items, work, threads, step):
        if answer is None:
            unreadable.append(item.name)
        else:
            moves += answer
    if not moves:
        return [], unreadable
    apart = [row(ratio.text, [move for move in moves if move.ratio == ratio.text]) for ratio in ratios]
    return [row(ALL, moves), *apart], unreadable
