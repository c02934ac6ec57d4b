"""A clock for tests."""


class Clock:
    """Advanced by hand, so that a pause needs no waiting."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now
