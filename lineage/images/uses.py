"""Which models an image, or a dataset, went into."""

import dataclasses
from collections.abc import Iterable, Sequence

from lineage.images.occurrences import USED, Occurrence
from lineage.record.parts import Push
from lineage.record.run import RunLine
from preprocessing import features

# In which way a model has seen an image; the first ones are stronger.
TRAINED = "trained on it"
STARTED_FROM = "started from a model that was"
EVALUATED = "evaluated on it"
_WAYS = (TRAINED, STARTED_FROM, EVALUATED)


@dataclasses.dataclass(frozen=True)
class Use:
    """A model that has to do with an image.

    Attributes:
      model: its digest.
      kind: `TRAINED`, `STARTED_FROM` or `EVALUATED`.
      dataset: digest of the dataset through which.
      runs: the runs that trained or judged it on that dataset, the newest first.
      trained_in: the run that trained it.
      top_1: of its newest evaluation, None where there was none.
      pushes: where it was pushed to, in all runs.
    """

    model: str
    kind: str
    dataset: str
    runs: tuple[str, ...]
    trained_in: str
    top_1: float | None
    pushes: tuple[Push, ...]


class Uses:
    """Answers for some runs, which are all that are known."""

    def __init__(self, lines: Sequence[RunLine]):
        """Takes the runs, the newest first."""
        self._lines = lines
        self._of_model: dict[str, list[RunLine]] = {}
        self._judged: dict[tuple[str, str], list[str]] = {}
        for line in lines:
            if line.model:
                self._of_model.setdefault(line.model, []).append(line)
            for model in {line.model, line.baseline} - {""}:
                self._judged.setdefault((line.dataset, model), []).append(line.id)

    def of_image(self, occurrences: Iterable[Occurrence]) -> list[Use]:
        """The models that were trained or evaluated on an image, or started from such models.

        Args:
          occurrences: where the image is.

        Returns:
          One entry for each model, with the strongest way, those trained on it first.
        """
        used = [occurrence for occurrence in occurrences if occurrence.status == USED]
        in_train = {
            occurrence.dataset for occurrence in used if occurrence.split == features.TRAIN_SPLIT
        }
        in_eval = {
            occurrence.dataset for occurrence in used if occurrence.split == features.EVAL_SPLIT
        }
        return self._of_datasets(in_train, in_eval)

    def of_datasets(self, datasets: Iterable[str]) -> list[Use]:
        """The same for all images of some datasets."""
        return self._of_datasets(set(datasets), set(datasets))

    def started_from(self, model: str) -> list[Use]:
        """The models whose training began with the weights of a model, or of such a one."""
        found = {line.model: (STARTED_FROM, line.dataset) for line in self._descendants({model})}
        return [self._use(*item) for item in found.items()]

    def _of_datasets(self, trained_on: set[str], evaluated_on: set[str]) -> list[Use]:
        found: dict[str, tuple[str, str]] = {}
        for line in self._lines:
            if line.model and line.dataset in trained_on:
                found.setdefault(line.model, (TRAINED, line.dataset))
        for line in self._descendants(set(found)):
            found.setdefault(line.model, (STARTED_FROM, line.dataset))
        for line in self._lines:
            if line.dataset in evaluated_on:
                for model in (line.model, line.baseline):
                    if model:
                        found.setdefault(model, (EVALUATED, line.dataset))
        uses = [self._use(*item) for item in found.items()]
        return sorted(uses, key=lambda use: _WAYS.index(use.kind))

    def _descendants(self, models: set[str]) -> list[RunLine]:
        """The runs whose models started from the weights of some models, however far."""
        found: list[RunLine] = []
        known, waiting = set(models), set(models)
        while waiting:
            parents = [line for model in waiting for line in self._of_model.get(model, [])]
            weights = {digest for line in parents for digest in line.weights}
            new = [
                line
                for line in self._lines
                if line.init_weights_sha256 in weights and line.model and line.model not in known
            ]
            found += new
            waiting = {line.model for line in new}
            known |= waiting
        return found

    def _use(self, model: str, way: tuple[str, str]) -> Use:
        kind, dataset = way
        own = self._of_model.get(model, [])
        pushes = {push.destination: push for line in own for push in line.pushes}
        measured = [line.top_1 for line in own if line.top_1 is not None]
        return Use(
            model=model,
            kind=kind,
            dataset=dataset,
            runs=tuple(self._judged.get((dataset, model), ())),
            trained_in=own[-1].trained_in if own else "",
            top_1=measured[0] if measured else None,
            pushes=tuple(pushes.values()),
        )
