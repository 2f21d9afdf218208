"""`effnet evaluate`: how often an exported model is right, and how long it takes."""

import argparse
import dataclasses
import json
import time
from collections import Counter
from collections.abc import Iterable

import numpy as np

from pipeline.inference import labelled_images
from pipeline.inference.classifier import BATCH_SIZE, Classifier, batches
from pipeline.inference.find_model import find_saved_model
from pipeline.inference.labelled_images import LabelledImage
from preprocessing import failures
from preprocessing.errors import InputError
from preprocessing.images.unusable import UnusableImageError
from preprocessing.text import one_line, path_text
from trainer_module import top_k

_PERCENTILES = (90, 95, 99)
_MAX_NAMES = 10


@dataclasses.dataclass
class Result:
    """What was counted.

    Attributes:
      images: pictures that got an answer.
      top_1: those whose class is the likeliest.
      top_5: those whose class is among the five likeliest.
      unreadable: pictures without an answer, which count nowhere else.
      names: the first of them.
      unknown: pictures by class that the model does not know; they count as wrong.
      latencies_ms: milliseconds a batch, from the files' bytes to the names; whole batches,
        without the first, which prepares the model.
    """

    images: int = 0
    top_1: int = 0
    top_5: int = 0
    unreadable: int = 0
    names: list[str] = dataclasses.field(default_factory=list)
    unknown: Counter[str] = dataclasses.field(default_factory=Counter)
    latencies_ms: list[float] = dataclasses.field(default_factory=list)

    def to_dict(self) -> dict[str, object]:
        """As `--json` prints it; `latency_ms` is null where there was no batch to time."""
        times = np.asarray(self.latencies_ms)
        latency = None
        if len(times):
            latency = {"avg": float(times.mean())}
            latency |= {f"p{p}": float(np.percentile(times, p)) for p in _PERCENTILES}
        return {
            "images": self.images,
            "top_1": self.top_1 / self.images,
            "top_5": self.top_5 / self.images,
            "unreadable": self.unreadable,
            "unknown_classes": {path_text(k): n for k, n in sorted(self.unknown.items())},
            "latency_ms": latency,
        }


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "evaluate",
        help="measure an exported model on images whose class is known",
        description="Prints top-1, top-5 and the latency of a batch. Exit status: 0 done, 2 the "
        "model does not load or there are no images to measure.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="SavedModel, folder of versions, or a run's output folder"
    )
    parser.add_argument(
        "data", metavar="DATA", help="folder with a sub-folder of images a class, or of records"
    )
    parser.add_argument(
        "--batch_size", type=int, default=BATCH_SIZE, help="images a request (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Measures and prints."""
    if args.batch_size < 1:
        raise InputError(f"--batch_size must be 1 or more. Received: {args.batch_size}")
    model, images = find_saved_model(args.model), labelled_images.read(args.data)
    result = measure(Classifier.load(model), images, args.batch_size)
    if not result.images:
        raise InputError(f"DATA {args.data!r}: none of {result.unreadable} pictures is readable")
    if result.unknown.total() == result.images:
        known = ", ".join(sorted(result.unknown)[:_MAX_NAMES])
        raise InputError(f"DATA {args.data!r}: the model knows none of its classes ({known})")
    text = json.dumps(result.to_dict(), ensure_ascii=False) if args.json else _text(result, args)
    print(text)
    return failures.DONE


def measure(classifier: Classifier, images: Iterable[LabelledImage], batch_size: int) -> Result:
    """Classifies pictures whose class is known.

    Args:
      classifier: the model.
      images: read as they are needed.
      batch_size: images a request.

    Raises:
      InputError: the model's answers are not finite numbers.
    """
    result, first_ms = Result(), None
    for number, batch in enumerate(batches(images, batch_size)):
        usable, contents = _readable(classifier, batch, result)
        start = time.perf_counter()
        answers = classifier.classify(contents, top_k.TOP_K)
        elapsed_ms = (time.perf_counter() - start) * 1e3
        if number == 0:
            first_ms = elapsed_ms
        elif len(batch) == batch_size:
            result.latencies_ms.append(elapsed_ms)
        _count(result, classifier, usable, answers)
    if not result.latencies_ms and first_ms is not None:
        result.latencies_ms.append(first_ms)  # there is no other
    return result


def _readable(
    classifier: Classifier, batch: list[LabelledImage], result: Result
) -> tuple[list[LabelledImage], list[bytes]]:
    """The pictures that the preprocessing would use, and their files; counts the others."""
    usable, contents = [], []
    for image in batch:
        try:
            contents.append(classifier.readable(image.data))
            usable.append(image)
        except UnusableImageError:
            result.unreadable += 1
            result.names += [image.name] if len(result.names) < _MAX_NAMES else []
    return usable, contents


def _count(
    result: Result,
    classifier: Classifier,
    batch: list[LabelledImage],
    answers: list[list[tuple[str, float]]],
) -> None:
    for image, answer in zip(batch, answers, strict=True):
        if not answer:
            raise InputError(
                "MODEL: its probabilities are not finite numbers, so there is no result (seen of "
                f"{image.name!r}); train it again"
            )
        if classifier.class_names and image.label not in classifier.class_names:
            result.unknown[image.label] += 1
    result.images += len(batch)
    if batch:
        rank = _label_rank(list(zip(batch, answers, strict=True)))
        result.top_1 += int((rank < 1).sum())
        result.top_5 += int((rank < top_k.TOP_K).sum())


def _label_rank(answered: list[tuple[LabelledImage, list[tuple[str, float]]]]) -> np.ndarray:
    """How many of the classes that the model names come before the true one: int64 [B]."""
    scores = np.array([[value for _, value in answer] for _, answer in answered])
    labels = [
        next((index for index, (name, _) in enumerate(answer) if name == image.label), -1)
        for image, answer in answered
    ]
    return top_k.label_rank(scores, np.array(labels))


def _text(result: Result, args: argparse.Namespace) -> str:
    values = result.to_dict()
    lines = [
        f"images     {result.images}",
        f"top-1      {values['top_1']:.4f}",
        f"top-5      {values['top_5']:.4f}",
    ]
    latency = values["latency_ms"]
    percentiles = ", ".join(f"{p} % {latency[f'p{p}']:.1f}" for p in _PERCENTILES)
    lines.append(
        f"latency    avg {latency['avg']:.1f} ms, {percentiles} (of {len(result.latencies_ms)} "
        f"batches of {args.batch_size})"
    )
    for name, count in sorted(result.unknown.items()):
        lines.append(f"unknown    class {name!r}, {count} images, which count as wrong")
    if result.unreadable:
        lines.append(
            f"unreadable {result.unreadable}, not counted: {', '.join(map(one_line, result.names))}"
        )
    return "\n".join(lines)
