"""What was made from a corpus, a dataset or a model."""

import dataclasses
from collections.abc import Sequence

from lineage.images.uses import Use, Uses
from lineage.reading import finding
from lineage.reading.finding import Found
from lineage.record.run import RunLine


@dataclasses.dataclass(frozen=True)
class Downstream:
    """What depends on a thing.

    Attributes:
      kind: `source`, `dataset` or `model`.
      digest: of the thing.
      datasets: digests of what was made from a source.
      models: from a source or dataset, the models that were trained or judged on it; from a
        model, those whose training started from it.
      runs: the runs that made or used it, the newest first.
      baseline_of: the runs whose candidate was compared with it, if it is a model.
    """

    kind: str
    digest: str
    datasets: tuple[str, ...]
    models: tuple[Use, ...]
    runs: tuple[RunLine, ...]
    baseline_of: tuple[str, ...]


def of(found: Found, lines: Sequence[RunLine]) -> Downstream:
    """What depends on what a person asked for.

    Args:
      found: the thing.
      lines: all runs, the newest first.
    """
    kind, digest = found.digest()
    own = [line for line in lines if digest and getattr(line, kind) == digest]
    uses, datasets = Uses(lines), []
    if kind == finding.MODEL:
        models = uses.started_from(digest)
    else:
        datasets = list(dict.fromkeys(line.dataset for line in own if line.dataset))
        models = uses.of_datasets(datasets)
    return Downstream(
        kind=kind,
        digest=digest,
        datasets=tuple(datasets) if kind == finding.SOURCE else (),
        models=tuple(models),
        runs=tuple(own),
        baseline_of=tuple(
            line.id for line in lines if kind == finding.MODEL and line.baseline == digest
        ),
    )
