"""Random samples with a seed, in the original order. Pure."""

from collections.abc import Sequence

import numpy as np

from gazecrop.audit.material.portraits import Person
from gazecrop.console.sources import Item


def sample_people(people: Sequence[Person], count: int, seed: int) -> list[Person]:
    """At most `count` people of each set."""
    generator = np.random.default_rng(seed)
    found = []
    for name in sorted({person.set for person in people}):
        inside = [person for person in people if person.set == name]
        found += [inside[i] for i in sorted(generator.permutation(len(inside))[:count])]
    return found


def sample_items(items: Sequence[Item], count: int, seed: int = 0) -> list[Item]:
    """At most `count` pictures."""
    order = np.random.default_rng(seed).permutation(len(items))[:count]
    return [items[i] for i in sorted(order.tolist())]
