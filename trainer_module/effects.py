"""What a change of a setting changes: marked where the setting is declared, and nowhere else.

The key of a training, the cache, the help and the documentation follow from the mark:

    log_interval_secs: Job[Float] = Field(5.0, gt=0)

A setting without a mark changes the weights.
"""

from typing import Annotated, TypeVar

import pydantic

from preprocessing.settings import Mark

T = TypeVar("T")


class Effect(Mark):
    """What a change of a setting changes; the value is the word that help and documentation use."""

    WEIGHTS = "weights"
    """The weights: with another value it is another training."""
    POSITION = "position"
    """The weights, but a training under way takes the change on: how many images make a step, a
    micro-batch or the whole training."""
    OUTPUT = "output"
    """What is measured of the weights and exported, not the weights."""
    JOB = "job"
    """Neither: where and how the job runs, and what it tells meanwhile."""


Position = Annotated[T, Effect.POSITION]
Output = Annotated[T, Effect.OUTPUT]
Job = Annotated[T, Effect.JOB]


def effect_of(cls: type[pydantic.BaseModel], name: str) -> Effect:
    """What a change of the field `name` changes."""
    marks = [mark for mark in cls.model_fields[name].metadata if isinstance(mark, Effect)]
    return marks[0] if marks else Effect.WEIGHTS


def names(cls: type[pydantic.BaseModel], *effects: Effect) -> list[str]:
    """The fields that have one of these effects, in the order of their declaration."""
    return [name for name in cls.model_fields if effect_of(cls, name) in effects]
