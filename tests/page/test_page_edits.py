"""edits.js: rotating, mirroring and cropping in any order gives the same as numpy."""

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


def applied(picture: NDArray[Any], edit: dict[str, Any]) -> NDArray[Any]:
    """The meaning of an edit: cropped, then mirrored, then rotated clockwise."""
    box = edit["crop"]
    cut = picture[box["y"] : box["y"] + box["height"], box["x"] : box["x"] + box["width"]]
    return np.rot90(cut[:, ::-1] if edit["flipped"] else cut, -edit["turns"])


def test_any_order_of_steps_gives_the_same_as_numpy() -> None:
    rng = random.Random(4)
    lists: list[dict[str, Any]] = []
    expectations: list[NDArray[Any]] = []
    for _ in range(300):
        width, height = rng.randint(8, 40), rng.randint(8, 40)
        expected: NDArray[Any] = np.arange(width * height).reshape(height, width)
        steps: list[Any] = []
        for _ in range(rng.randint(0, 8)):
            name = rng.choice([*STEPS, "cut"])
            if name == "cut":  # at whole pixels of the displayed picture
                high, wide = expected.shape
                x, y = rng.randrange(wide), rng.randrange(high)
                w, h = rng.randint(1, wide - x), rng.randint(1, high - y)
                steps.append(["cut", {"x": x / wide, "y": y / high, "width": w / wide, "height": h / high}])
                expected = expected[y : y + h, x : x + w]
            else:
                steps.append([name, None])
                expected = STEPS[name](expected)
        lists.append({"width": width, "height": height, "steps": steps})
        expectations.append(expected)
    with javascript("edits") as run:
        answers = run(PLAY, lists)
    mirrors = 0
    for given, expected, answer in zip(lists, expectations, answers, strict=True):
        picture = np.arange(given["width"] * given["height"]).reshape(given["height"], given["width"])
        last = answer["last"]
        np.testing.assert_array_equal(applied(picture, last), expected)
        assert (last["size"]["height"], last["size"]["width"]) == expected.shape
        assert last["mirror"] == np.array_equal(expected, picture[:, ::-1])
        mirrors += last["mirror"]
        assert answer["first"]["crop"] == {"x": 0, "y": 0, "width": given["width"], "height": given["height"]}
        assert answer["again"] == {key: last[key] for key in answer["again"]} and answer["ends"]
    assert mirrors > 3
