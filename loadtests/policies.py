"""What a crop of policy `balanced` takes beside one of `window`: without a server, of the maps of photographs."""

import time
from collections.abc import Sequence
from fractions import Fraction

from gazecrop.crop.cropping import Cropper, Options, Policy
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.params import one_ratio
from gazecrop.model import Model
from gazecrop.pipeline import analyse, limits_of
from gazecrop.settings import Settings
from loadtests.cold import RATIOS

ROUNDS = 12


def balanced_beside_window(photographs: Sequence[bytes], zoom: str) -> float:
    """CPU of the crops of all ratios over that of the same with `window`. The maps have their sums already, and no
    offset that was found before. Both policies in turn; the least of each, as other load on the machine only adds."""
    settings = Settings()
    model = Model.load(settings)
    codes = [analyse(each, model, limits_of(settings)).code for each in photographs]
    croppers = [Cropper(SaliencyGrid.from_code(code), model.calibration) for code in codes]
    _seconds(croppers, "window", zoom), _seconds(croppers, "balanced", zoom)
    pairs = [
        (_seconds(croppers, "balanced", zoom), _seconds(croppers, "window", zoom)) for _ in range(ROUNDS)
    ]
    balanced, window = zip(*pairs, strict=True)
    ratio: float = min(balanced) / min(window)
    return ratio


def _seconds(croppers: Sequence[Cropper], policy: Policy, zoom: str) -> float:
    options, ratios = Options(policy, Fraction(zoom)), [one_ratio(text) for text in RATIOS]
    for cropper in croppers:
        for balance in cropper._balances.values():
            balance.across.found.clear()
            balance.down.found.clear()
    began = time.thread_time()
    for cropper in croppers:
        for ratio in ratios:
            cropper.crop(ratio, options)
    return time.thread_time() - began
