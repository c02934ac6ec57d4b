"""Two networks or two settings on the same pictures: which crops differ, and by how much."""

from collections.abc import Sequence

from gazecrop.audit.material.folder_crops import FolderCrops, Move, Step, centre
from gazecrop.audit.studies.stability import Row, row
from gazecrop.console.sources import Item

ALL = "all ratios"  # name of the first row


def same(one: FolderCrops, other: FolderCrops) -> bool:
    """Whether both sides must give the same crops: the same file of weights and the same options."""
    return one.model.sha256 == other.model.sha256 and one.options == other.options


def study(
    items: Sequence[Item], before: FolderCrops, after: FolderCrops, step: Step
) -> tuple[list[Row], list[str]]:
    """A row for all ratios and one for each; and the names of unreadable pictures."""

    def work(item: Item) -> list[Move]:
        data = item.read()
        old, new = before.cropper(data), after.cropper(data)
        crops = before.crops(old), after.crops(new)
        return [
            Move(item.name, text, centre(crops[0][text], old), centre(crops[1][text], new))
            for text in crops[0]
        ]

    moves: list[Move] = []
    unreadable = []
    for item, answer in before.each(items, work, step):
        if answer is None:
            unreadable.append(item.name)
        else:
            moves += answer
    if not moves:
        return [], unreadable
    by_ratio = [
        row(ratio.text, [move for move in moves if move.ratio == ratio.text]) for ratio in before.ratios
    ]
    return [row(ALL, moves), *by_ratio], unreadable
