"""Claim: an evaluation takes at most 1.5 times as long as Keras `predict`, plus its start-up.

Ours: the Evaluator's Beam pipeline with TFMA, as a run starts it, from the records through the
exported EfficientNetV2-S to the verdict: overall, by class, size and format. The peer:
`keras.applications.EfficientNetV2S` under `predict`, over the same records in the same batches,
decoded and resized in tf.data. Both: 48 px, as the demo has it, random weights, float32.

The start-up is what ours takes longer than the peer for the demo's 380 images: loading the model,
building the graph of Beam, writing, and some three seconds between the 100th and the 380th image
that do not come again. It is printed, and subtracted for the larger set. Both sides have run once
in their process before. The exported model alone, in a loop without TFMA, is printed beside it,
and the processor time, which other work on the machine disturbs less.
"""

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import common
import numpy as np

SIZE_PX, CLASSES, BATCH, FIRST = 48, 10, 64, 100
# The demo's evaluation split; a set for which a user of TFMA waited nine minutes; for --quick.
DIGITS, MANY, MANY_QUICK = 380, 8_000, 1_000
# Times of seconds are disturbed easily: their medians count.
REPEATS, REPEATED_UP_TO = 3, DIGITS
RATIO = 1.5
PREPARE, SIDES = "prepare", ("ours", "signature", "keras")


def write_records(path: Path, count: int) -> None:
    """Writes preprocessed records of handwritten digits, over again until there are enough."""
    import tensorflow as tf
    from PIL import Image
    from sklearn.datasets import load_digits

    from preprocessing import features
    from preprocessing.files.records import make_record

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(count):
            place = number % len(images)
            buffer = io.BytesIO()
            Image.fromarray(images[place]).save(buffer, "PNG")
            values = {
                features.ENCODED: buffer.getvalue(),
                features.FORMAT: b"png",
                features.HEIGHT: images.shape[1],
                features.WIDTH: images.shape[2],
                features.CLASS_TEXT: str(digits.target[place]).encode(),
            }
            writer.write(make_record(values))


def export_model(path: Path) -> None:
    """Exports EfficientNetV2-S with random weights, as the trainer does."""
    import tensorflow as tf

    from trainer_module.config import TrainConfig
    from trainer_module.network import architectures
    from trainer_module.network.initial_weights import initial_weights
    from trainer_module.network.model import Network
    from trainer_module.serving.export import ServedModel, export

    network = Network(architectures.build(TrainConfig().arch, CLASSES))
    named = {key: tf.constant(value) for key, value in initial_weights(network, 0).items()}
    folded = {key: value.numpy() for key, value in network.fold(named, named).items()}
    export(ServedModel(network, folded, [str(n) for n in range(CLASSES)], SIZE_PX), path)


def ours(folder: Path) -> Callable[[Path], None]:
    """An evaluation with the Evaluator's parts, up to the verdict."""
    import apache_beam as beam
    import tensorflow_model_analysis as tfma
    from apache_beam.options.pipeline_options import PipelineOptions

    from components.evaluator import evaluate, gate, measures
    from pipeline import evaluation
    from pipeline.config import EvaluationConfig
    from preprocessing import features

    config = EvaluationConfig(min_top_1=0.0)
    eval_config = tfma.utils.update_eval_config_with_defaults(
        evaluation.eval_config(config), has_baseline=False, rubber_stamp=True
    )
    flags = ["--direct_running_mode=in_memory", "--direct_num_workers=1"]
    names = [str(n) for n in range(CLASSES)]

    def run(records: Path) -> None:
        with tempfile.TemporaryDirectory() as output:
            with beam.Pipeline(options=PipelineOptions(flags)) as root:
                model = evaluate.EvaluatedModel(str(folder / "model"), tuple(names))
                patterns = {features.EVAL_SPLIT: [str(records)]}
                evaluate.evaluate(root, patterns, {"": model}, eval_config, output)
            evaluate.finish(output)
            cells = measures.confusion(output)
            classes = measures.classes(cells, names, config.confidence)
            gate.judge(
                measures.read(output, False), classes, evaluation.rules(config), "no baseline"
            )

    return run


def signature(folder: Path) -> Callable[[Path], None]:
    """The exported model over the records, without TFMA."""
    import tensorflow as tf

    from trainer_module.serving.signatures import PROBABILITIES, SERVING_EXAMPLES

    serve = tf.saved_model.load(str(folder / "model")).signatures[SERVING_EXAMPLES]

    def run(records: Path) -> None:
        for batch in tf.data.TFRecordDataset(str(records)).batch(BATCH).prefetch(2):
            serve(batch)[PROBABILITIES].numpy()

    return run


def of_keras(folder: Path) -> Callable[[Path], None]:
    """Keras `predict` over the records."""
    import keras
    import tensorflow as tf

    from preprocessing import features

    del folder
    shape = (SIZE_PX, SIZE_PX, 3)
    model = keras.applications.EfficientNetV2S(weights=None, input_shape=shape, classes=CLASSES)

    def decode(record):
        wanted = {features.ENCODED: tf.io.FixedLenFeature([], tf.string)}
        encoded = tf.io.parse_single_example(record, wanted)[features.ENCODED]
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        return tf.image.resize(image, shape[:2])

    def run(records: Path) -> None:
        dataset = tf.data.TFRecordDataset(str(records)).map(decode, tf.data.AUTOTUNE)
        model.predict(dataset.batch(BATCH).prefetch(2), verbose=0)

    return run


def measure_here(side: str, folder: Path, counts: list[int]) -> None:
    """Prints the median `[wall, processor]` seconds of the start-up and of each set, as JSON."""
    if side == PREPARE:
        for count in (FIRST, *counts):
            write_records(folder / f"{count}.tfrecord", count)
        export_model(folder / "model")
        print(json.dumps(None))
        return
    make = {"ours": ours, "signature": signature, "keras": of_keras}[side]
    run = make(folder)
    run(folder / f"{FIRST}.tfrecord")  # so that all that is measured is warm
    result = {}
    for count in (FIRST, *counts):
        times = []
        for _ in range(REPEATS if count <= REPEATED_UP_TO else 1):
            wall, cpu = time.perf_counter(), time.process_time()
            run(folder / f"{count}.tfrecord")
            times.append([time.perf_counter() - wall, time.process_time() - cpu])
        result[count] = np.median(times, axis=0).tolist()
    print(json.dumps(result))


def main() -> None:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{MANY_QUICK:,} images at most")
    parser.add_argument("--side", choices=[PREPARE, *SIDES], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--counts", type=int, nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        return measure_here(options.side, options.folder, options.counts)
    common.print_machine()
    counts = [DIGITS, MANY_QUICK if options.quick else MANY]
    with tempfile.TemporaryDirectory() as name:
        common.run_script(__file__, "--side", PREPARE, "--folder", name, *_flags(counts))
        found = {
            side: json.loads(
                common.run_script(__file__, "--side", side, "--folder", name, *_flags(counts))
            )
            for side in SIDES
        }
    table = []
    for side, results in found.items():
        for count, (wall, cpu) in results.items():
            table.append([side, count, f"{wall:.1f}", f"{cpu:.1f}"])
    common.print_table(["side", "images", "wall, s", "processor, s"], table)
    verdict = common.Verdict()
    demo, many = map(str, counts)
    for place, what in enumerate(("wall", "processor")):
        start_up = found["ours"][demo][place] - found["keras"][demo][place]
        print(f"start-up, {what} time: {start_up:.1f} s")
        ratio = (found["ours"][many][place] - start_up) / found["keras"][many][place]
        verdict.claim(f"{many} images, {what} time: ours / Keras", ratio, at_most=RATIO)
    return verdict.exit()


def _flags(counts: list[int]) -> list[str]:
    return ["--counts", *map(str, counts)]


if __name__ == "__main__":
    main()
