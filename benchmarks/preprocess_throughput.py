"""Claim: the Beam stage has 0.75 or more of the images/s of a plain loop; bytes are read twice.

Ours: `beam_stage.preprocess` over source records of 500 x 375 JPEG files, shrunk to 256 px, on the
DirectRunner with worker processes. The peer: as many plain processes, each of which reads files,
decodes, shrinks and encodes them with the same calls of Pillow, and writes them one after the
other; no Beam, no records, no checks. Start-up is excluded on both sides in the same way: two
sizes of corpus are timed, and the difference of the images is divided by the difference of the
times. What grows with the images (finding copies, joining shards) counts.

Processor time of both sides stands beside the rates: other work on the machine disturbs it less.

Bytes read: what the Beam pipelines of ingestion and stage together read with system calls
(`/proc/self/io` of a process of its own, which counts the workers that it waited for), as the
difference of two sizes of corpus, so that what the workers import falls out, over the bytes of the
images. The second reading is that of TFRecords,
which are a little larger than the images. Joining the parts of a shard, after the pipelines, reads
no image again but copies what was made of them; it is not counted.
"""

import argparse
import io
import json
import logging
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import common
import photographs

from preprocessing.stage.options import StageOptions

WORKERS = 2
MAX_SIDE_PX = 256
# Twice, and one per cent for the other fields of the records that are read the second time.
BOUND, MAX_READS = 0.75, 2.02
CLASSES = ("a", "b")


def write_corpus(root: Path, count: int) -> dict[str, Path]:
    """Two corpora, `small` with a quarter of the photographs of `whole`; returns their folders."""
    pool = photographs.write_photographs(root / "pool", min(count, 400))
    corpora = {"small": (root / "small", count // 4), "large": (root / "large", count)}
    for folder, number in corpora.values():
        for name in CLASSES:
            (folder / name).mkdir(parents=True)
        for place in range(number):
            data = pool[place % len(pool)].read_bytes()
            # A byte behind the end of the file makes each a file of its own.
            path = folder / CLASSES[place % len(CLASSES)] / f"{place:06d}.jpg"
            path.write_bytes(data + place.to_bytes(4, "little"))
    return {name: folder for name, (folder, _) in corpora.items()}


def our_run(corpus: str, output: str) -> None:
    """Ingestion and stage in this process; prints what was measured."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from preprocessing.ingest import ingest
    from preprocessing.stage import beam_stage

    logging.getLogger().setLevel(logging.ERROR)
    options = ["--direct_running_mode=multi_processing", f"--direct_num_workers={WORKERS}"]
    read = []

    class MeasuredPipeline(beam.Pipeline):
        def __exit__(self, *error):
            result = super().__exit__(*error)
            read.append(bytes_read())
            return result

    def make_pipeline() -> beam.Pipeline:
        read.append(bytes_read())
        return MeasuredPipeline(options=PipelineOptions(options))

    ingest.ingest(
        corpus, f"{output}/source", make_pipeline=make_pipeline, eval_fraction=0.2, seed=0
    )
    started, cpu_started = time.perf_counter(), cpu_secs()
    counts = beam_stage.preprocess(
        f"{output}/source",
        f"{output}/dataset",
        f"{output}/quarantine",
        class_names=list(CLASSES),
        options=StageOptions(max_side_px=MAX_SIDE_PX),
        make_pipeline=make_pipeline,
    )
    measured = {
        "secs": time.perf_counter() - started,
        "cpu_secs": cpu_secs() - cpu_started,
        "read": sum(after - before for before, after in zip(read[::2], read[1::2], strict=True)),
        "used": counts["used"],
    }
    print(json.dumps(measured))


def cpu_secs() -> float:
    """Processor time, user and system, of this process and its ended children."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def bytes_read() -> int:
    """Bytes that this process and its ended children got from reading system calls."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["rchar"])


def plain_loop(paths: list[Path], output: Path) -> None:
    """Decodes, shrinks, encodes and writes files: what a script without Beam would do."""
    from PIL import Image

    with open(output, "wb") as file:
        for path in paths:
            image = Image.open(io.BytesIO(path.read_bytes()))
            scale = min(1.0, MAX_SIDE_PX / min(image.size))
            target = tuple(round(side * scale) for side in image.size)
            image.draft(image.mode, (2 * target[0], 2 * target[1]))
            buffer = io.BytesIO()
            small = image.resize(target, Image.Resampling.BICUBIC)
            small.save(buffer, "JPEG", quality=StageOptions().jpeg_quality)
            file.write(buffer.getvalue())


def peer(corpus: Path, scratch: Path) -> dict[str, float]:
    """What `WORKERS` processes took that share the files of a corpus."""
    paths = sorted(corpus.glob("*/*.jpg"))
    processes = [
        multiprocessing.Process(
            target=plain_loop, args=(paths[place::WORKERS], scratch / f"{place}.bin")
        )
        for place in range(WORKERS)
    ]
    started, cpu_started = time.perf_counter(), cpu_secs()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return {"secs": time.perf_counter() - started, "cpu_secs": cpu_secs() - cpu_started}


def ours(corpus: Path) -> dict[str, float]:
    """What `our_run` measured in a process of its own."""
    with tempfile.TemporaryDirectory() as output:
        return json.loads(common.run_script(__file__, "--run", str(corpus), output))


def main() -> None:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer images, one measurement")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        our_run(*options.run)
        sys.exit()
    os.environ["PYTHONWARNINGS"] = "ignore"  # of the workers
    count, repeats = (4_000, 1) if options.quick else (16_000, 3)
    common.print_machine()
    with tempfile.TemporaryDirectory() as name:
        corpora = write_corpus(Path(name), count)
        sizes = {
            which: {"bytes": sum(path.stat().st_size for path in folder.glob("*/*"))}
            for which, folder in corpora.items()
        }
        rates, cpu_rates, reads = [], [], []
        for _ in range(repeats):
            made = {which: ours(folder) for which, folder in corpora.items()}
            loop = {which: peer(folder, Path(name)) for which, folder in corpora.items()}
            images = grown(made, "used")
            if images != count - count // 4:
                raise RuntimeError(f"{count - count // 4} images were expected, {images} made")
            for place, key in ((rates, "secs"), (cpu_rates, "cpu_secs")):
                place.append((images / grown(made, key), images / grown(loop, key)))
            reads.append(grown(made, "read") / grown(sizes, "bytes"))
    table = [
        [side, *(f"{statistics.median(v[place] for v in values):,.0f}" for values in measured)]
        for place, side in enumerate(("Beam stage", "plain loop"))
        for measured in [(rates, cpu_rates)]
    ]
    common.print_table(["", "images/s", "images a second of processor time"], table)
    verdict = common.Verdict()
    print(f"ratio in processor time: {statistics.median(a / b for a, b in cpu_rates):.3f}")
    ratio = statistics.median(a / b for a, b in rates)
    verdict.claim("Beam stage / plain loop", ratio, at_least=BOUND)
    verdict.claim("bytes read / bytes of the images", statistics.median(reads), at_most=MAX_READS)
    verdict.exit()


def grown(measured: dict[str, dict[str, float]], key: str) -> float:
    """How much larger a figure is for the large corpus: what start-up adds falls out."""
    return measured["large"][key] - measured["small"][key]


if __name__ == "__main__":
    main()
