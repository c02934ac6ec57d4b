"""Grid + ratio + policy -> crop. Pure: everything in a crop answer is computed from the grid alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as member
from fractions import Fraction
from functools import cached_property
from math import floor
from typing import Literal, NamedTuple, get_args

from gazecrop.crop.balance import Balance, Weights
from gazecrop.crop.balance_axis import Axis
from gazecrop.crop.confidence import BEATS, Calibration, compared
from gazecrop.crop.grid import SaliencyGrid
from gazecrop.crop.objects import KINDS, Held, Kind, held
from gazecrop.crop.overlay import Overlaid
from gazecrop.crop.overlay import unmet as unmet_overlays
from gazecrop.crop.placing import Box, Constraint, Field, Profile, compatible, place
from gazecrop.crop.points import Point, find
from gazecrop.crop.ratios import WIDEST, Ratio, box_size, simplest
from gazecrop.crop.sliding import slide
from gazecrop.crop.zooming import AutoZoom, Subject, aligned, find_subject

Policy = Literal["auto", "window", "point", "centre", "focus", "balanced", "careful"]
Verdict = Literal["good", "tight", "poor"]
Applied = Policy | Literal["subject"]  # what a crop was made by
POLICIES: tuple[Policy, ...] = get_args(Policy)
GOOD, TIGHT = 0.80, 0.60  # of the importance
# Bytes of memory for 30 x 40 cells: of a cropper with points and spans, the sums of one axis, of both, a balance, its
# sums of one axis and of each row, a subject.
CELLS = 1200
PLAIN, PROFILE, LEVELS, BALANCE, AXIS, ROWS, SUBJECT = 4_500, 3_000, 10_100, 500, 1_900, 30_000, 500
FOUND = 100  # of a kept offset
MOST_SUBJECTS = 16  # kept for one map; one takes up to 2 ms to find
CAREFUL = 0.8  # the least chance of beating the centre crop with which policy `careful` leaves it


def verdict(importance: float, objects: Held | None = None) -> Verdict:
    """Never `good` where a large one of the objects is cut through."""
    if importance >= GOOD and (objects is None or not any(each.large for each in objects.cut)):
        return "good"
    return "tight" if importance >= TIGHT else "poor"


@dataclass(frozen=True, slots=True)
class Options:
    """Parameters of all crops of one call. `zoom` 1 to 4; `auto_zoom`: in its place, so that the subject fills the box;
    `candidates` 1 to 5; `protect`: the kinds of objects that a crop should not cut through; `overlays`: in
    fractions of the crop, what the page covers; `fields`: names of FORMS in fields.py, for the answer; `careful`: the
    least `beats_centre` with which policy `careful` leaves the centre."""

    policy: Policy = "auto"
    zoom: Fraction = Fraction(1)
    constraints: tuple[Constraint, ...] = ()
    candidates: int = 1
    protect: tuple[Kind, ...] = KINDS
    auto_zoom: AutoZoom | None = None
    overlays: tuple[Constraint, ...] = ()
    fields: tuple[str, ...] = ()
    careful: float = CAREFUL
    # Without what only some requests ask for: the largest box by its saliency or its value, along one axis.
    plain: bool = member(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        plain = (
            self.policy in ("auto", "balanced", "window")
            and not self.constraints
            and not self.overlays
            and self.candidates == 1
            and self.auto_zoom is None
            and self.zoom == 1
        )
        object.__setattr__(self, "plain", plain)


class Crop(NamedTuple):  # made in a quarter of the time of a frozen dataclass
    """The crop of one ratio. `policy`: the one applied, never `auto`; `zoom`: the one that was found, None where none
    was to be found; `unmet`: the constraints that the box does not
    meet; `importance`: the share of the picture's saliency in the box; `centred`: that of the centre crop of the same
    size; `confidence`: the probability that it is one of the best, None without a calibration and for every crop that
    is not `plain`; `beats_centre`: the probability that it keeps more of people's gaze than the centre crop, 0.5 where
    it is the same; `plain`: policy window or balanced, without zoom and constraints; `whole`: the box is the whole
    picture; `objects`: the protected ones, seen from the box; None for a map without objects."""

    ratio: Ratio
    box: Box
    policy: Applied
    importance: float
    centred: float
    whole: bool
    beats_centre: float = 0.5
    plain: bool = False
    confidence: float | None = None
    unmet: tuple[Constraint, ...] = ()
    alternatives: tuple[tuple[Box, float], ...] = ()
    verdicts: tuple[Verdict, ...] = ()  # of the alternatives
    objects: Held | None = None
    zoom: Fraction | None = None
    fields: tuple[str, ...] = ()

    @property
    def gain(self) -> float:
        """What the crop keeps beyond the centre crop, -1 to 1."""
        return self.importance - self.centred

    @property
    def verdict(self) -> Verdict:
        """`good` for the whole picture."""
        return "good" if self.whole else verdict(self.importance, self.objects)


class Cropper:
    """A grid and what is computed from it once: sums, points, the range of good ratios. Immutable; thread-safe."""

    def __init__(
        self, grid: SaliencyGrid, calibration: Calibration | None = None, weights: Weights | None = None
    ) -> None:
        """`weights`: of policy `balanced`; None: those of the calibration, without one the defaults."""
        self.grid = grid
        self._weights = weights or (calibration.balance if calibration is not None else Weights())
        self._balances: dict[tuple[Kind, ...], Balance] = {}  # by the kinds of objects that are protected
        self._subjects: dict[tuple[tuple[Kind, ...], tuple[float, float] | None], Subject | None] = {}
        self._calibration = calibration
        self.field = Field(grid)

    @property
    def size(self) -> int:
        """Bytes of memory, of what has been computed until now: measured for 30 x 40 cells."""
        field, parts = self.field.computed, PLAIN
        if "across" in field:
            parts += PROFILE
        if "down" in field:
            parts += PROFILE
        if "levels" in field:
            parts += LEVELS
        for balance in self._balances.values():
            its = balance.computed
            parts += BALANCE + ROWS * ("_rows" in its)
            if "across" in its:
                parts += AXIS + FOUND * len(balance.across.found)
            if "down" in its:
                parts += AXIS + FOUND * len(balance.down.found)
        parts += SUBJECT * len(self._subjects)
        return parts * max(self.grid.levels.size, CELLS) // CELLS

    @cached_property
    def points(self) -> tuple[Point, ...]:
        return find(self.grid)

    @cached_property
    def good_ratios(self) -> tuple[str, str] | None:
        """The range of ratios whose window keeps 0.80 of the importance; each end is the simplest fraction within 1 %
        inside the exact end. None for a strip so long that no accepted ratio (1:20 to 20:1) keeps that much."""
        # Both ends as numerator and denominator: Fractions took a third of the time.
        n, d = _least_good(self.field.across, self.field.total), self.grid.height
        p, q = self.grid.width, _least_good(self.field.down, self.field.total)
        if n > WIDEST * d or p * WIDEST < q:
            return None
        if n * WIDEST < d:
            n, d = 1, WIDEST
        if p > WIDEST * q:
            p, q = WIDEST, 1
        inside = (101 * n, 100 * d) if 101 * n * q < 100 * p * d else (p, q)
        outside = (99 * p, 100 * q) if 99 * p * d > 100 * n * q else (n, d)
        return simplest((n, d), inside), simplest(outside, (p, q))

    def crops(
        self, ratios: Sequence[Ratio], options: Options, points: Sequence[tuple[float, float] | None]
    ) -> list[Crop]:
        """The crops of several ratios, as `crop` finds each. `points`: the focus of each ratio."""
        if options.plain and (options.policy != "auto" or not any(points)):
            return self._plain(ratios, options)
        return [self.crop(ratio, options, at) for ratio, at in zip(ratios, points, strict=True)]

    def _plain(self, ratios: Sequence[Ratio], options: Options) -> list[Crop]:
        """The crops of plain options, all of an axis at once: ten of one map take half of the time of ten calls."""
        wide, high = self.grid.width, self.grid.height
        sizes = [box_size(ratio, wide, high) for ratio in ratios]
        balance = self._balance(options.protect) if options.policy != "window" else None
        widths = [width for width, height in sizes if height == high]
        heights = [height for _, height in sizes if height != high]
        across = iter(_best(self.field.across, balance.across if balance else None, widths) if widths else ())
        down = iter(_best(self.field.down, balance.down if balance else None, heights) if heights else ())
        boxes = [
            Box(next(across), 0, width, high) if height == high else Box(0, next(down), width, height)
            for width, height in sizes
        ]
        return [self._along(ratio, box, options) for ratio, box in zip(ratios, boxes, strict=True)]

    def _along(self, ratio: Ratio, box: Box, options: Options) -> Crop:
        """The crop with this box, the best one of plain options: it has the picture's height or its width."""
        grid, field, fitted = self.grid, self.field, self._calibration
        x, y, width, height = box
        profile, length, offset = (
            (field.across, width, x) if height == grid.height else (field.down, height, y)
        )
        side, whole = profile.side, profile.whole
        middle = (side - length) // 2
        # One axis alone is cut: the share of the area is that of its length.
        area = (width * height) / (grid.width * grid.height)
        importance = centred = profile.inside(offset, length) / whole
        chance, confidence = 0.5, None
        if offset != middle:
            centred = profile.inside(middle, length) / whole
            beats = fitted.beats if fitted is not None else BEATS
            chance = beats(compared(importance, centred, area, abs(offset - middle) / side))
        window = options.policy == "window"
        if fitted is not None and not grid.flat:  # as it was calibrated
            confident = fitted.confidence if window else fitted.confidence_balanced
            confidence = confident(importance, centred, area)
        return Crop(
            ratio,
            box,
            "window" if window else "balanced",
            importance,
            centred,
            length == side,
            chance,
            True,
            confidence,
            objects=self._held(box, options.protect) if grid.objects else None,
            fields=options.fields,
        )

    def crop(self, ratio: Ratio, options: Options, focus: tuple[float, float] | None = None) -> Crop:
        """The crop of one ratio. `focus`: the point that a person set, in fractions; policy `focus` requires it."""
        grid, field = self.grid, self.field
        if options.plain and (focus is None or options.policy != "auto"):
            return self._plain((ratio,), options)[0]
        policy: Applied = options.policy
        if policy == "auto":
            policy = "balanced" if focus is None else "focus"
        zoom, subject = options.zoom, None
        if options.auto_zoom is not None:
            subject = self._subject(options.protect, focus if policy == "focus" else None)
            if subject is not None:
                zoom = subject.zoom(options.auto_zoom, ratio, grid.width, grid.height, options.constraints)
                policy = "subject" if options.policy == "auto" and focus is None else policy
        width, height = box_size(ratio, grid.width, grid.height, zoom)
        aim: tuple[int, int] | None
        if policy == "subject" and subject is not None and options.auto_zoom is not None:
            aim = subject.corner(options.auto_zoom, (width, height), (grid.width, grid.height))
        else:
            aim = self._aim(policy, width, height, focus, options.auto_zoom)
        balance = self._balance(options.protect) if policy in ("balanced", "careful") else None
        value: Balance | Overlaid | None = balance
        wishes = options.constraints
        protected = [o for o in grid.objects if o.kind in options.protect] if grid.objects else []
        if options.overlays and subject is not None and policy == "subject":
            aim, wishes = None, (*wishes, subject.whole)
        if options.overlays and aim is None:
            value = Overlaid(field, protected, options.overlays, (width, height), balance)

        kept = list(wishes)
        box = place(field, width, height, aim, kept, value=value)
        if box is None:
            kept = compatible(field, width, height, wishes)
            box = place(field, width, height, aim, kept, value=value)
            assert box is not None  # some box meets these
        if policy == "careful":
            box = self._careful(box, kept, options)
        elif policy == "focus" and focus is not None and aim is not None and options.auto_zoom is None:
            box = slide(box, aim, focus, protected, kept, (grid.width, grid.height))
        unmet = [c for c in options.constraints if not c.met(box, grid.width, grid.height)]
        if options.overlays:
            unmet += unmet_overlays(options.overlays, box, field, protected, flat=grid.flat)

        found: list[Box] = []
        while len(found) + 1 < options.candidates:
            other = place(field, width, height, None, kept, (box, *found), value)
            if other is None:
                break
            found.append(other)
        # In two dimensions a later search tries more positions, so that it may find a better box.
        others = (
            sorted(((each, field.sum(each) / field.total) for each in found), key=lambda scored: -scored[1])
            if found
            else ()
        )
        importance, centred = self._shares(box)
        confidence = None
        plain = policy in ("window", "balanced") and zoom == 1
        plain = plain and not options.constraints and not options.overlays
        if self._calibration and plain and not grid.flat:  # as it was calibrated
            # One axis alone is cut: the share of the area is that of its length.
            area = (width * height) / (grid.width * grid.height)
            fitted = self._calibration
            confident = fitted.confidence_balanced if policy == "balanced" else fitted.confidence
            confidence = confident(importance, centred, area)
        return Crop(
            ratio=ratio,
            box=box,
            policy=policy,
            importance=importance,
            centred=centred,
            whole=width == grid.width and height == grid.height,
            beats_centre=self._beats_centre(box, importance, centred),
            plain=plain,
            confidence=confidence,
            unmet=tuple(unmet),
            alternatives=tuple(others),
            verdicts=tuple([verdict(share, self._held(other, options.protect)) for other, share in others]),
            objects=self._held(box, options.protect),
            zoom=zoom if options.auto_zoom is not None else None,
            fields=options.fields,
        )

    def _subject(self, protect: tuple[Kind, ...], focus: tuple[float, float] | None) -> Subject | None:
        key = protect, focus
        if key not in self._subjects:
            if len(self._subjects) == MOST_SUBJECTS:
                self._subjects = {}
            self._subjects[key] = find_subject(self.grid, self.points, protect, focus)
        return self._subjects[key]

    def _shares(self, box: Box) -> tuple[float, float]:
        """The importance of a box and of the centre crop of its size."""
        field, (_, _, width, height) = self.field, box
        x, y = (field.width - width) // 2, (field.height - height) // 2
        importance = field.sum(box) / field.total
        if (x, y) == (box.x, box.y):
            return importance, importance
        return importance, field.sum(Box(x, y, width, height)) / field.total

    def _beats_centre(self, box: Box, importance: float, centred: float) -> float:
        field, (x, y, width, height) = self.field, box
        off_x, off_y = x - (field.width - width) // 2, y - (field.height - height) // 2
        if off_x == off_y == 0:
            return 0.5
        moved = abs(off_x) / field.width + abs(off_y) / field.height
        area = (width * height) / (field.width * field.height)
        beats = self._calibration.beats if self._calibration is not None else BEATS
        return beats(compared(importance, centred, area, moved))

    def _careful(self, box: Box, kept: list[Constraint], options: Options) -> Box:
        """The balanced box, where it surely enough beats the centre crop or saves an object that this would cut; else
        the centre crop, or with constraints the nearest box to it that meets them."""
        field = self.field
        middle = (field.width - box.width) // 2, (field.height - box.height) // 2
        stay = place(field, box.width, box.height, middle, kept)
        if stay is None or self._beats_centre(box, *self._shares(box)) >= options.careful:
            return box
        there, here = self._held(stay, options.protect), self._held(box, options.protect)
        if there is not None and here is not None and any(each not in here.cut for each in there.avoidable):
            return box
        return stay

    def _balance(self, protect: tuple[Kind, ...]) -> Balance:
        if (found := self._balances.get(protect)) is None:
            objects = [each for each in self.grid.objects if each.kind in protect]
            found = self._balances[protect] = Balance(self.field, objects, self._weights)
        return found

    def _held(self, box: Box, protect: tuple[Kind, ...]) -> Held | None:
        grid = self.grid
        if not grid.objects:
            return None
        protected = [each for each in grid.objects if each.kind in protect]
        return held(protected, box.ltrb, (grid.width, grid.height))

    def _aim(
        self,
        policy: Applied,
        width: int,
        height: int,
        focus: tuple[float, float] | None,
        auto_zoom: AutoZoom | None = None,
    ) -> tuple[int, int] | None:
        """The corner that the policy aims at, in pixels; None: the box with most saliency."""
        grid = self.grid
        if policy in ("window", "balanced", "careful"):
            return None
        centre = (grid.width - width) // 2, (grid.height - height) // 2
        if policy == "focus" and focus is not None:
            x, y = focus
            if auto_zoom is not None and auto_zoom.align is not None:
                across, down = auto_zoom.align
                return aligned(x, across, width, grid.width), aligned(y, down, height, grid.height)
        elif policy == "point" and self.points and not grid.symmetric:
            x, y = self.points[0].x, self.points[0].y
        else:
            return centre
        return _centred(x, width, grid.width), _centred(y, height, grid.height)


def _best(profile: Profile, axis: Axis | None, lengths: Sequence[int]) -> list[int]:
    """The offsets of the best windows of these lengths."""
    if axis is not None:
        return axis.best(lengths)
    return [profile.best(length) for length in lengths]


def _centred(point: float, length: int, side: int) -> int:
    """The offset of the window whose middle is nearest to the point, inside the picture."""
    return min(max(floor(point * side - length / 2 + 0.5), 0), side - length)


def _least_good(profile: Profile, total: int) -> int:
    """The smallest length along one axis whose best window is good: the best sum grows with the length."""
    low, high = 1, profile.side
    middle, step = (
        profile.shortest(GOOD),
        1,
    )  # nearly always the answer: start there and double the step away from it
    while low < high:
        if profile.peak(middle) >= GOOD * total:
            high = middle
            middle = max(high - step, (low + high) // 2)
        else:
            low = middle + 1
            middle = min(low + step - 1, (low + high) // 2)
        step *= 2
    return low
