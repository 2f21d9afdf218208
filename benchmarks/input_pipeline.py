"""Claim: training images are made at 0.6 or more of the rate at which JPEGs are merely decoded.

Ours: `train_dataset` with random crop, flip, RandAugment (2 layers, magnitude 10) and batching,
over records that our preprocessing made of 500 x 375 photographs. The peer: `tf.io.decode_jpeg`
on the same JPEGs in tf.data with the same parallelism, whole pictures, nothing else done to them.

The absolute figures are for a reference machine on which a core decodes 650 of the 500 x 375
originals a second: 1,300 images/s at 128 px and 550 at 300 px on two cores. They are scaled by
what a core of this machine decodes.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import common
import photographs
import tensorflow as tf

from preprocessing import features
from trainer_module.config import TrainConfig
from trainer_module.data import record_index
from trainer_module.data.input_pipeline import train_dataset
from trainer_module.distributed import SingleProcess
from trainer_module.stages import stage_schedule

BATCH = 32
BOUND = 0.6
REFERENCE_DECODE, CORES = 650.0, 2
# (image side, preprocessing's max_side_px, images/s on the reference machine): records that have
# a pixel for each of the largest images', and not many more.
CLAIMED = ((128, 320, 1300.0), (300, 320, 550.0))
# Printed, not judged: records smaller than the largest images, and the photographs as they are.
PRINTED = ((128, 256, 1300.0), (300, 256, 550.0), (128, 512, 1300.0), (300, 512, 550.0))


def rate(batches: Iterator, images_per_item: int, secs: float) -> Callable[[], float]:
    """A measurement: images/s of an endless iterator over about `secs`."""

    def measure() -> float:
        started, items = time.perf_counter(), 0
        while time.perf_counter() - started < secs:
            next(batches)
            items += 1
        return items * images_per_item / (time.perf_counter() - started)

    return measure


def ours(folder: Path, size_px: int) -> Iterator:
    """The batches of a training, as `loop.py` reads them."""
    config = TrainConfig(
        data_dir=str(folder),
        train_batch_size=BATCH,
        img_size=size_px,
        raug_num_layers=2,
        raug_magnitude=10.0,
        max_epochs=1_000_000,
    )
    index = record_index.build_index(record_index.find_shards(str(folder), (features.TRAIN_SPLIT,)))
    [stage] = stage_schedule(config)
    stages = [(stage, 0, 10**9)]
    return iter(train_dataset(index, config, stages, 0, photographs.CLASSES, SingleProcess()))


def encoded(folder: Path) -> list[bytes]:
    """The JPEG files in the training records of a folder."""
    index = record_index.build_index(record_index.find_shards(str(folder), (features.TRAIN_SPLIT,)))
    examples = map(tf.train.Example.FromString, index.read(range(len(index))))
    return [example.features.feature[features.ENCODED].bytes_list.value[0] for example in examples]


def decoding(files: list[bytes], parallel: int) -> Iterator:
    """The heights of decoded JPEGs, in batches: the pictures differ in size."""
    dataset = tf.data.Dataset.from_tensor_slices(tf.constant(files)).repeat()
    dataset = dataset.map(
        lambda data: tf.io.decode_jpeg(data, channels=features.CHANNELS),
        num_parallel_calls=parallel,
    )
    return iter(dataset.map(lambda image: tf.shape(image)[0]).batch(BATCH).prefetch(2))


def main() -> None:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter measurements")
    options = parser.parse_args()
    count, repeats, secs = (100, 3, 1.0) if options.quick else (500, 7, 3.0)
    common.print_machine()
    verdict, table = common.Verdict(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = photographs.write_photographs(folder / "photographs", count)
        originals = [path.read_bytes() for path in paths]
        print(f"{count} photographs of {sum(map(len, originals)) / count / 1000:.0f} kB")
        one_core = rate(decoding(originals, 1), BATCH, secs)
        for size_px, max_side_px, target in CLAIMED + PRINTED:
            data = folder / str(max_side_px)
            if not data.exists():
                photographs.write_records(data, paths, max_side_px)
            measures = [
                rate(ours(data, size_px), BATCH, secs),
                rate(decoding(encoded(data), CORES), BATCH, secs),
                one_core,
            ]
            for measure in measures:
                measure()  # warm-up
            (made, decoded, core), every = common.alternate(measures, repeats)
            # The ratio of each turn, so that a disturbance hits both sides.
            ratio = statistics.median(a / b for a, b in zip(every[0], every[1], strict=True))
            scaled = target * core / REFERENCE_DECODE
            case = f"{size_px} px of {max_side_px} px"
            table.append(
                [
                    case,
                    *(f"{value:,.0f}" for value in (made, decoded, core, scaled)),
                    *(f"{value:.2f}" for value in (ratio, made / scaled)),
                ]
            )
            if (size_px, max_side_px, target) in CLAIMED:
                verdict.claim(f"{case}: ours / decode-only", ratio, at_least=BOUND)
                verdict.claim(f"{case}: ours / reference figure", made / scaled, at_least=1.0)
    common.print_table(
        [
            "images/s",
            "ours",
            "decode-only",
            "originals, one core",
            "reference, scaled",
            "of decode-only",
            "of reference",
        ],
        table,
    )
    verdict.exit()


if __name__ == "__main__":
    main()
