"""`effnet predict`: what an exported model says about pictures."""

import argparse
import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pipeline import failures
from pipeline.model_files import find_saved_model
from pipeline.output_capture import OutputCapture
from preprocessing.errors import InputError

BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What the model said of one file.

    Attributes:
      file: the file's path.
      top_k: class names and probabilities (0 to 1), the likeliest first; empty where it failed.
      error: why there is no answer, None if there is one.
    """

    file: str
    top_k: list[tuple[str, float]] = dataclasses.field(default_factory=list)
    error: str | None = None

    def to_json(self) -> str:
        """One line of JSON: `file`, and `label`, `probability` and `top_k`, or `error`."""
        if self.error is not None:
            return json.dumps({"file": self.file, "error": self.error}, ensure_ascii=False)
        label, probability = self.top_k[0]
        top_k = [{"label": name, "probability": value} for name, value in self.top_k]
        values = {"file": self.file, "label": label, "probability": probability, "top_k": top_k}
        return json.dumps(values, ensure_ascii=False)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser(
        "predict",
        help="classify images with an exported model",
        description="Classifies images. Pictures that cannot be decoded are listed as such. "
        "Exit status: 0 done, 2 the model does not load or no picture could be read.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="SavedModel, folder of versions, or a run's output folder"
    )
    parser.add_argument("images", metavar="IMAGE|DIR", nargs="+", help="files; folders are walked")
    parser.add_argument(
        "--top_k",
        type=int,
        default=5,
        help="classes an image, as many as the model gives at most (%(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Prints a line a picture, in the order of the arguments."""
    if args.top_k < 1:
        raise InputError(f"--top_k must be 1 or more. Received: {args.top_k}")
    files = list(list_files(args.images))
    serve = load(find_saved_model(args.model))
    answered = 0
    for start in range(0, len(files), BATCH_SIZE):
        predictions = predict(serve, files[start : start + BATCH_SIZE], args.top_k)
        lines = [p.to_json() for p in predictions] if args.json else _table(predictions)
        print("\n".join(lines), flush=True)
        answered += sum(prediction.error is None for prediction in predictions)
    if not answered:
        raise InputError(f"nothing to predict: none of {len(files)} files is a readable picture")
    return failures.DONE


def list_files(paths: Iterable[str]) -> Iterator[str]:
    """The files that are meant: files as they are, folders walked in order, hidden ones left out.

    Raises:
      InputError: a path does not exist, or a folder holds no files.
    """
    for path in paths:
        if not Path(path).is_dir():
            if not Path(path).exists():
                raise InputError(f"IMAGE must be a file or a folder. Received: {path!r} (missing)")
            yield path
            continue
        count = 0
        for parent, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(name for name in names if not name.startswith(".")):
                count += 1
                yield os.path.join(parent, name)
        if not count:
            raise InputError(f"nothing to predict: the folder {path!r} holds no files")


def load(model: Path) -> Callable:
    """The signature that takes encoded files: `image_bytes` string [B].

    Raises:
      InputError: the SavedModel does not load, or has no such signature.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        # TensorFlow's start prints from C++, whatever its log level.
        with OutputCapture() as capture, capture.to_file(Path(os.devnull)):
            import tensorflow as tf

            signatures = tf.saved_model.load(str(model)).signatures
    except Exception as error:
        reason = failures.one_line(error)
        raise InputError(f"MODEL {str(model)!r} does not load: {reason}") from error
    if "serving_default" not in signatures:
        raise InputError(f"MODEL {str(model)!r} has no signature 'serving_default'")
    return signatures["serving_default"]


def predict(serve: Callable, files: Sequence[str], top_k: int) -> list[Prediction]:
    """Classifies a batch of files.

    Args:
      serve: the signature of `load`.
      files: paths.
      top_k: classes a file, at most as many as the signature gives.

    Returns:
      One prediction a file, in order.
    """
    import numpy as np
    import tensorflow as tf

    contents: dict[str, bytes] = {}
    predictions: dict[str, Prediction] = {}
    for file in files:
        try:
            contents[file] = Path(file).read_bytes()
        except OSError as error:
            predictions[file] = Prediction(file, error=f"cannot be read: {error.strerror}")
    if contents:
        outputs = serve(image_bytes=tf.constant(list(contents.values())))
        labels = outputs["top_k_labels"].numpy()[:, :top_k]  # [B, K]
        values = outputs["top_k_probabilities"].numpy()[:, :top_k]
        bad = np.isnan(outputs["probabilities"].numpy()).any(axis=1)
        for file, names, row, undecoded in zip(contents, labels, values, bad, strict=True):
            pairs = [(n.decode(), float(v)) for n, v in zip(names, row, strict=True)]
            error = "cannot be decoded" if undecoded else None
            predictions[file] = Prediction(file, [] if undecoded else pairs, error)
    return [predictions[file] for file in files]


def _table(predictions: Sequence[Prediction]) -> list[str]:
    file_width = max(len(prediction.file) for prediction in predictions)
    widths = [len(name) for prediction in predictions for name, _ in prediction.top_k]
    name_width = max(widths, default=0)
    lines = []
    for prediction in predictions:
        cells = [f"{name:<{name_width}} {value:.4f}" for name, value in prediction.top_k]
        answer = prediction.error or "  ".join(cells)
        lines.append(f"{prediction.file:<{file_width}}  {answer}")
    return lines
