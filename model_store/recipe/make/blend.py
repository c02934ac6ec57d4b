"""Stage 4b, blend: the mean of two checkpoints of one student, weight by weight (Wortsman et al. 2022, "Model soups",
arXiv 2203.05482).

    python -m model_store.recipe.make.blend --first=gaze-2-draft --second=gaze-2-boxes --name=gaze-2-blend

The second one started from the first. On "val" gaze-2-draft has a crop score of 60.8 and gaze-2-boxes, whose loss gives
faces and text four times the weight, 59.5 with better boxes; their mean has 60.8, and nearly the better boxes.
"""

from dataclasses import dataclass

from model_store.recipe import data
from model_store.recipe.make.distil import round_weights
from model_store.recipe.make.plain import load, save
from model_store.recipe.options import parse


@dataclass(frozen=True)
class Options:
    first: str = "gaze-2-draft"
    second: str = "gaze-2-boxes"
    name: str = "gaze-2-blend"
    share: float = 0.6  # of the second one
    smoke: bool = False


def main(options: Options) -> None:
    folder = data.folder(options.smoke)
    path = folder / f"{options.name}.pt"
    if path.exists():
        return
    first, found = (load(folder / f"{name}.pt") for name in (options.first, options.second))
    states = first.state_dict(), found.state_dict()
    share = options.share
    found.load_state_dict(
        {name: (1 - share) * one + share * states[1][name] for name, one in states[0].items()}
    )
    round_weights(found.requires_grad_(False))  # both were rounded, their mean is not
    save(found, path, {})


if __name__ == "__main__":
    main(parse(Options))
