"""What code takes as an argument so that a test can decide it: the time, the other ranks."""

from trainer_module.distributed import SingleProcess


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class OneOfRanks(SingleProcess):
    """A rank among others, for arithmetic that needs no communication."""

    def __init__(self, rank: int, size: int):
        self.rank, self.size = rank, size
