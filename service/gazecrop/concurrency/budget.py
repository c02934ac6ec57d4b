"""The memory of all requests together, in bytes: bodies and answers, and the work of threads."""

from itertools import count
from typing import TYPE_CHECKING

from gazecrop.errors import TooMuchMemory

if TYPE_CHECKING:
    from gazecrop.concurrency.gate import Gate, Place


class Budget:
    """`limit`: bytes of everything. `most_bodies`: bytes that bodies may take of it (`Bodies` refuses above), so that
    work which needs the rest can always begin at some time. Used from one event loop only."""

    def __init__(self, limit: int, most_bodies: int = 0) -> None:
        self.limit = limit
        self.most_bodies = most_bodies
        self.bodies = 0  # bytes of bodies that are being read or worked on, and of answers not yet sent
        self.work = 0  # bytes of the work inside all gates
        self.gates: list[Gate] = []
        self._arrivals = count()

    @property
    def used(self) -> int:
        return self.bodies + self.work

    @property
    def largest(self) -> int:
        """Bytes of the largest work that can ever begin."""
        return self.limit - self.most_bodies

    def arrive(self) -> int:
        """A number for the order of arrival at all gates."""
        return next(self._arrivals)

    def check(self, size: int) -> None:
        """Raises `TooMuchMemory` for work that can never begin."""
        if size > self.largest:
            raise TooMuchMemory(
                f"Work on this picture takes {size / 1e6:,.0f} MB of memory; "
                f"the limit of this server is {self.largest / 1e6:,.0f} MB.",
                limit=self.largest,
                received=size,
                fix="Send a smaller copy, or a baseline JPEG, or ask for fewer pixels.",
            )

    def fits(self, size: int) -> bool:
        """Half of what bodies may take stays free for them: else large work would refuse every upload."""
        return not size or self.work + size + max(self.bodies, self.most_bodies // 2) <= self.limit

    def hold_bodies(self, size: int) -> None:
        """Counts bytes of bodies; negative when they are released."""
        self.bodies += size
        if size < 0:
            self.admit()

    def next(self) -> "tuple[Gate, Place] | None":
        """The first in line of the gates that have a free slot: it has the first claim on memory."""
        ready = [(gate, gate.first) for gate in self.gates if gate.waiting and gate.has_slot]
        return min(ready, key=lambda one: one[1].arrival, default=None)

    def admit(self) -> None:
        """Strictly in that order: if small ones overtook a large one, it might wait forever."""
        while (found := self.next()) is not None and self.fits(found[1].size):
            found[0].admit(found[1])
