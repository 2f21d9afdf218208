"""Smaller variants of the exported model, each measured against it on evaluation images.

They are extras beside the export, which is what is validated and pushed: a SavedModel that
computes in float16 or bfloat16, and a TF-Lite model that takes decoded pixels.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing import features
from preprocessing.files import disk_full
from trainer_module import top_k
from trainer_module.config import TrainConfig
from trainer_module.serving.export import ServedModel, export

FOLDER = "extra_exports"
RESULT_FILE = "extra_exports.json"
TFLITE = "tflite"
_TFLITE_FILE = "model.tflite"
# So many evaluation images are enough to see a change, and a phone's model is slow here.
MAX_IMAGES = 1024
# Largest difference of a probability that counts as parity: what the numbers' precision gives.
TOLERANCES = {TFLITE: 1e-3, "float16": 0.02, "bfloat16": 0.1}

Probabilities = Callable[[np.ndarray], np.ndarray]


def write(
    config: TrainConfig,
    dataset: tf.data.Dataset,
    model: ServedModel,
    folded: Mapping[str, np.ndarray],
    say: Callable[[str], None],
) -> None:
    """Writes the variants that the settings name, and `extra_exports.json` beside them.

    The file holds an entry a variant: `name`, `path`, `bytes`, `images` (that were compared),
    `max_difference` of a probability (null where one is not a finite number), `tolerance` and
    `parity` (whether it is kept), `top_1` and `top_1_change` against the export.

    Args:
      config: which variants, and the folder.
      dataset: of (images uint8 [B, size, size, 3], labels int64 [B]), to compare them on.
      model: the export.
      folded: the export's weights, float32.
      say: receives a line per variant.

    Raises:
      DiskFullError: there is no space for them; earlier ones are still there.
    """
    folder = Path(config.model_dir) / FOLDER
    partial = folder.with_name(f"{FOLDER}.partial")
    try:
        with disk_full.naming(folder):
            entries = _write(config, dataset, model, folded, partial)
        shutil.rmtree(folder, ignore_errors=True)
        if entries:
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for entry in entries:
        say(describe(entry))


def _write(config, dataset, model, folded, folder: Path) -> list[dict[str, Any]]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    variants: dict[str, tuple[Path, Probabilities]] = {}
    if config.export_precision != "float32":
        path = folder / config.export_precision
        variants[config.export_precision] = (path, _reduced(model, folded, path))
    if config.export_tflite:
        path = folder / _TFLITE_FILE
        variants[TFLITE] = (path, _tflite(model, path))
    if not variants:
        return []
    entries = _compare(dataset, model, variants)
    text = json.dumps(entries, indent=2) + "\n"
    (folder / RESULT_FILE).write_text(text, encoding="utf-8")
    return entries


def describe(entry: Mapping[str, Any]) -> str:
    """One line about a variant, of its entry in `extra_exports.json`."""
    difference = entry["max_difference"]
    differ = "are not all finite" if difference is None else f"differ by {difference:.2g} at most"
    return (
        f"{entry['name']} export: top-1 {entry['top_1']:.4f} ({entry['top_1_change']:+.4f}), "
        f"probabilities {differ}, allowed {entry['tolerance']:.2g}"
    )


def _reduced(model: ServedModel, folded: Mapping[str, np.ndarray], path: Path) -> Probabilities:
    dtype = tf.as_dtype(path.name)
    reduced = model.with_weights({k: tf.cast(v, dtype).numpy() for k, v in folded.items()})
    export(reduced, path)
    return lambda pixels: reduced.infer(pixels)[0].numpy()


def _tflite(model: ServedModel, path: Path) -> Probabilities:
    """Converts; the model takes pixels uint8 [1, size, size, 3] and gives probabilities."""
    size_px = model.size_px

    @tf.function(
        autograph=False,
        input_signature=[tf.TensorSpec([1, size_px, size_px, features.CHANNELS], tf.uint8)],
    )
    def one(pixels: tf.Tensor) -> tf.Tensor:
        return model.infer(pixels)[0]

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [one.get_concrete_function()], model
    )
    path.write_bytes(converter.convert())
    interpreter = tf.lite.Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    [source], [sink] = interpreter.get_input_details(), interpreter.get_output_details()

    def probabilities(pixels: np.ndarray) -> np.ndarray:
        rows = []
        for image in pixels:
            interpreter.set_tensor(source["index"], image[None])
            interpreter.invoke()
            rows.append(interpreter.get_tensor(sink["index"])[0])
        return np.stack(rows)

    return probabilities


def _compare(
    dataset: tf.data.Dataset,
    model: ServedModel,
    variants: Mapping[str, tuple[Path, Probabilities]],
) -> list[dict[str, Any]]:
    images, right = 0, 0
    differences = dict.fromkeys(variants, 0.0)
    rights = dict.fromkeys(variants, 0)
    for pixels, labels in dataset.as_numpy_iterator():
        expected = model.infer(pixels)[0].numpy()
        images += len(labels)
        right += _count_right(expected, labels)
        for name, (_, probabilities) in variants.items():
            received = probabilities(pixels)
            # np.maximum, which keeps a NaN; Python's max may drop it.
            difference = np.abs(received - expected).max()
            differences[name] = float(np.maximum(differences[name], difference))
            rights[name] += _count_right(received, labels)
        if images >= MAX_IMAGES:
            break
    return [
        {
            "name": name,
            "path": f"{FOLDER}/{path.name}",
            "bytes": _size(path),
            "images": images,
            "max_difference": differences[name] if np.isfinite(differences[name]) else None,
            "tolerance": TOLERANCES[name],
            "parity": differences[name] <= TOLERANCES[name],
            "top_1": rights[name] / images,
            "top_1_change": (rights[name] - right) / images,
        }
        for name, (path, _) in variants.items()
    ]


def _count_right(probabilities: np.ndarray, labels: np.ndarray) -> int:
    return int((top_k.label_rank(probabilities, labels) < 1).sum())


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())
