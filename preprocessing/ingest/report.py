"""What an ingestion read, added up: by the worker of each unit, and then over all units."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from preprocessing.files.new_file import write_text
from preprocessing.problems import Problem, ProblemCounts


@dataclass
class Report:
    """Sums over images.

    Attributes:
      splits: images by split.
      split_from: images by who decided their split, `source` or `content`.
      usable: images by split that can be used, as far as that is known without decoding them.
      problems: the other images, by reason.
      classes: images by class; those of no class are left out.
      usable_classes: classes of the images that can be used.
      labels: by (number, class), as a source gives them, the URI of the first such image.
    """

    splits: Counter[str] = field(default_factory=Counter)
    split_from: Counter[str] = field(default_factory=Counter)
    usable: Counter[str] = field(default_factory=Counter)
    problems: ProblemCounts = field(default_factory=ProblemCounts)
    classes: Counter[str] = field(default_factory=Counter)
    usable_classes: set[str] = field(default_factory=set)
    labels: dict[tuple[int, str], str] = field(default_factory=dict)

    def add(
        self,
        *,
        uri: str,
        class_text: str,
        label: int | None,
        split: str,
        split_from: str,
        problem: Problem | None,
    ) -> None:
        """Counts an image."""
        self.splits[split] += 1
        self.split_from[split_from] += 1
        if class_text:
            self.classes[class_text] += 1
            if label is not None:
                self.labels.setdefault((label, class_text), uri)
        if problem is None:
            self.usable[split] += 1
            self.usable_classes.add(class_text)
        else:
            self.problems.add(uri, problem)

    def write(self, path: Path) -> None:
        """Writes the sums as a file of JSON."""
        labels = [[*key, uri] for key, uri in self.labels.items()]
        values = {
            "splits": self.splits,
            "split_from": self.split_from,
            "usable": self.usable,
            "problems": self.problems.to_json(),
            "classes": self.classes,
            "usable_classes": sorted(self.usable_classes),
            "labels": labels,
        }
        write_text(str(path), json.dumps(values))

    def add_file(self, path: Path) -> None:
        """Adds what `write` wrote."""
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name in ("splits", "split_from", "usable", "classes"):
            getattr(self, name).update(values[name])
        self.problems.add_all(values["problems"])
        self.usable_classes.update(values["usable_classes"])
        for number, class_text, uri in values["labels"]:
            self.labels.setdefault((number, class_text), uri)
