"""edits.js: turning, mirroring and cutting in any order shows what numpy shows."""

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.helpers.javascript import javascript

PLAY = """
(lists) => lists.map(({ width, height, steps }) => {
  const history = new module.History(module.unedited(width, height));
  for (const [name, box] of steps) history.add(module[name](history.now, box));
  const size = module.sizeOf(history.now), mirror = module.onlyMirrored(history.now, { width, height });
  const last = { ...history.now, size, mirror };
  for (const _ of steps) history.undo();
  history.undo();
  const first = history.now;
  for (const _ of steps) history.redo();
  return { last, first, again: history.now, ends: history.last };
})
"""
STEPS = {
    "turned": lambda a: np.rot90(a, -1),
    "mirrored": lambda a: a[:, ::-1],
    "upsideDown": lambda a: a[::-1],
}


def shown(picture: NDArray[Any], edit: dict[str, Any]) -> NDArray[Any]:
    """What an edit means: cut, then mirrored, then turned clockwise."""
    box = edit["crop"]
    cut = picture[box["y"] : box["y"] + box["height"], box["x"] : box["x"] + box["width"]]
    return np.rot90(cut[:, ::-1] if edit["flipped"] else cut, -edit["turns"])


def test_any_order_of_steps_shows_what_numpy_shows() -> None:
    rng = random.Random(4)
    lists: list[dict[str, Any]] = []
    wanted: list[NDArray[Any]] = []
    for _ in range(300):
        width, height = rng.randint(8, 40), rng.randint(8, 40)
        seen: NDArray[Any] = np.arange(width * height).reshape(height, width)
        steps: list[Any] = []
        for _ in range(rng.randint(0, 8)):
            name = rng.choice([*STEPS, "cut"])
            if name == "cut":  # at whole pixels of what is shown
                high, wide = seen.shape
                x, y = rng.randrange(wide), rng.randrange(high)
                w, h = rng.randint(1, wide - x), rng.randint(1, high - y)
                steps.append(["cut", {"x": x / wide, "y": y / high, "width": w / wide, "height": h / high}])
                seen = seen[y : y + h, x : x + w]
            else:
                steps.append([name, None])
                seen = STEPS[name](seen)
        lists.append({"width": width, "height": height, "steps": steps})
        wanted.append(seen)
    with javascript("edits") as run:
        answers = run(PLAY, lists)
    mirrors = 0
    for asked, seen, answer in zip(lists, wanted, answers, strict=True):
        picture = np.arange(asked["width"] * asked["height"]).reshape(asked["height"], asked["width"])
        last = answer["last"]
        np.testing.assert_array_equal(shown(picture, last), seen)
        assert (last["size"]["height"], last["size"]["width"]) == seen.shape
        assert last["mirror"] == np.array_equal(seen, picture[:, ::-1])
        mirrors += last["mirror"]
        assert answer["first"]["crop"] == {"x": 0, "y": 0, "width": asked["width"], "height": asked["height"]}
        assert answer["again"] == {key: last[key] for key in answer["again"]} and answer["ends"]
    assert mirrors > 3
