"""What an exported model says of picture files; TensorFlow is imported when one is loaded."""

import dataclasses
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.inference import picture_files
from preprocessing import failures, features
from preprocessing.errors import InputError
from preprocessing.files.class_names import parse_class_names
from preprocessing.files.plain_path import plain_path
from preprocessing.images import image_ops
from preprocessing.images.unusable import UnusableImageError
from preprocessing.output_capture import OutputCapture
from preprocessing.sources import storage
from preprocessing.stage.options import PictureOptions
from preprocessing.text import path_text
from trainer_module import top_k as top_k_lib
from trainer_module.serving import export_files, signatures

BATCH_SIZE = 32
_NO_LIMIT_PX = 1 << 30
_BEST_QUALITY = 100
# Formats that every exported model reads as the preprocessing does, as a header calls them.
_SERVED_AS_THEY_ARE = ("jpeg", "png", "gif")
# The smaller the pixels that a look at a file needs, the sooner it is done.
_LOOKED_AT_PX = 32


_BROKEN = "no answer: the model's probabilities are not finite numbers"


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
        file = path_text(self.file)
        if self.error is not None:
            return json.dumps({"file": file, "error": self.error}, ensure_ascii=False)
        label, probability = self.top_k[0]
        top_k = [{"label": name, "probability": value} for name, value in self.top_k]
        values = {"file": file, "label": label, "probability": probability, "top_k": top_k}
        return json.dumps(values, ensure_ascii=False)


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A loaded model.

    Attributes:
      serve: its signature `serving_default`.
      options: how it makes pixels of files, as `image_ops.normalise` calls them: `background`,
        `gray16` and `max_pixels`.
      class_names: its classes, in the order of its outputs; empty where it does not list them.
    """

    serve: Callable[..., dict[str, Any]]
    options: dict[str, Any]
    class_names: tuple[str, ...]

    @classmethod
    def load(cls, model: Path) -> "Classifier":
        """Loads a SavedModel.

        Raises:
          InputError: it does not load, or has not the signature.
        """
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            # TensorFlow's start prints from C++, whatever its log level.
            with OutputCapture() as capture, capture.to_file(Path(os.devnull)):
                import tensorflow as tf

                with plain_path(str(model)) as plain:
                    found = tf.saved_model.load(plain).signatures
        except Exception as error:
            reason = failures.one_line(error)
            raise InputError(f"MODEL {str(model)!r} does not load: {reason}") from error
        if signatures.SERVING_DEFAULT not in found:
            raise InputError(
                f"MODEL {str(model)!r} has no signature {signatures.SERVING_DEFAULT!r}"
            )
        described = _description(model)
        names = model / export_files.EXTRA_FOLDER / features.CLASS_NAMES_FILE
        class_names = parse_class_names(names.read_bytes(), str(names)) if names.is_file() else ()
        options = _file_options(described.get("preprocessing", {}))
        return cls(found[signatures.SERVING_DEFAULT], options, tuple(class_names))

    def predict(self, files: Sequence[str], top_k: int, folder: str = "") -> list[Prediction]:
        """Classifies a batch of files.

        Args:
          files: paths, as `picture_files.read` takes them; the same may come several times.
          top_k: classes a file, at most as many as the model gives.
          folder: where relative paths begin; by default in the current one.

        Returns:
          One prediction a file, in order.
        """
        predictions: list[Prediction | None] = [None] * len(files)
        rows, contents = [], []
        for row, file in enumerate(files):
            try:
                contents.append(self.readable(picture_files.read(file, folder)))
                rows.append(row)
            except storage.ReadError as error:
                predictions[row] = Prediction(file, error=f"cannot be read: {error}")
            except UnusableImageError as error:
                predictions[row] = Prediction(file, error=f"cannot be decoded: {error}")
        for row, answer in zip(rows, self.classify(contents, top_k), strict=True):
            predictions[row] = Prediction(files[row], answer, None if answer else _BROKEN)
        return predictions

    def readable(self, data: bytes) -> bytes:
        """The file, or the same picture as a file that the model reads.

        Raises:
          UnusableImageError: the preprocessing would put it into the quarantine.
        """
        header = image_ops.read_header(data)
        if header is None or header.format not in _SERVED_AS_THEY_ARE:
            return self._normalised(data)
        limits = {key: self.options[key] for key in ("background", "max_pixels")}
        image_ops.small_pixels(data, max_side_px=_LOOKED_AT_PX, **limits)
        return data

    def classify(self, contents: Sequence[bytes], top_k: int) -> list[list[tuple[str, float]]]:
        """Class names and probabilities of pictures.

        Args:
          contents: the bytes of files, as `readable` gives them.
          top_k: classes a file, at most as many as the model gives.

        Returns:
          A list a picture, the likeliest class first; an empty one where the model has no answer.
        """
        answers = self._served(contents, top_k)
        for row, answer in enumerate(answers):
            if not answer and (picture := self._normalised_or_none(contents[row])):
                answers[row] = self._served([picture], top_k)[0]
        return answers

    def _served(self, contents: Sequence[bytes], top_k: int) -> list[list[tuple[str, float]]]:
        import tensorflow as tf

        if not contents:
            return []
        outputs = self.serve(image_bytes=tf.constant(list(contents)))
        labels = outputs[signatures.TOP_K_LABELS].numpy()[:, :top_k]  # [B, K]
        values = outputs[signatures.TOP_K_PROBABILITIES].numpy()[:, :top_k]
        answered = top_k_lib.is_answer(outputs[signatures.PROBABILITIES].numpy())
        return [
            [(n.decode(), float(v)) for n, v in zip(names, row, strict=True)] if is_answer else []
            for names, row, is_answer in zip(labels, values, answered, strict=True)
        ]

    def _normalised_or_none(self, data: bytes) -> bytes | None:
        """The picture as the preprocessing writes it; None where that is the same file, or none."""
        try:
            picture = self._normalised(data)
        except UnusableImageError:
            return None
        return None if picture == data else picture

    def _normalised(self, data: bytes) -> bytes:
        return image_ops.normalise(
            data,
            max_side_px=_NO_LIMIT_PX,
            jpeg_quality=_BEST_QUALITY,
            **self.options,
        ).data


def _file_options(described: dict[str, Any]) -> dict[str, Any]:
    usual = PictureOptions()
    return {
        "background": tuple(described.get("background") or usual.background_rgb),
        "gray16": described.get("gray16") or usual.gray16,
        "max_pixels": described.get("max_pixels") or usual.max_pixels,
    }


def batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of `size` items, the last one shorter."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _description(model: Path) -> dict[str, Any]:
    file = model / export_files.EXTRA_FOLDER / export_files.DESCRIPTION_FILE
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
