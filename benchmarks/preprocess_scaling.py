"""Claim: memory does not grow with the images, and time grows no faster than they do.

`effnet run CONFIG --until ImagePreprocessor` over 20,000 and over 80,000 small pictures: listing,
ingestion, statistics, anomalies, preprocessing. Memory is the proportional set size of the process
and all its children together (pages that several share count once), sampled four times a second;
its peak may differ by less than 15 %. Four times the images may take at most 4.4 times the time.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np
import psutil
from PIL import Image

MAX_MEMORY_RATIO, MAX_TIME_RATIO = 1.15, 4.4
CLASSES, POOL = 10, 200
SAMPLE_SECS = 0.25
NODE = "ImagePreprocessor"


def write_corpus(folder: Path, count: int) -> None:
    """Writes `count` different JPEG files of 64 x 48 px, in ten classes."""
    random = np.random.default_rng(0)
    pool = []
    for number in range(POOL):
        noise = random.integers(0, 256, (6, 8, 3), np.uint8)
        path = folder.with_suffix(f".{number}.jpg")
        Image.fromarray(noise).resize((64, 48), Image.Resampling.BICUBIC).save(path, "JPEG")
        pool.append(path.read_bytes())
        path.unlink()
    for number in range(CLASSES):
        (folder / f"class {number}").mkdir(parents=True)
    for number in range(count):
        # Bytes behind the end make each a file of its own.
        data = pool[number % POOL] + number.to_bytes(4, "little")
        (folder / f"class {number % CLASSES}" / f"{number:06d}.jpg").write_bytes(data)


def tree_bytes(root: psutil.Process) -> int:
    """Proportional set size of a process and all its children."""
    total = 0
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total


def measure(corpus: Path, scratch: Path) -> tuple[float, float]:
    """Runs the data nodes over a corpus; returns the peak of the memory in bytes, and seconds."""
    config = scratch / f"{corpus.name}.yaml"
    config.write_text(f"data: {{path: {corpus}}}\nevaluation: {{min_top_1: 0.5}}\n")
    command = [
        *(sys.executable, "-W", "ignore", "-m", "pipeline.cli", "run", str(config)),
        *("--until", NODE, "--output_dir", str(scratch / f"{corpus.name}-run")),
    ]
    started, peak = time.perf_counter(), 0
    with subprocess.Popen(command, cwd=common.ROOT, stdout=sys.stderr) as process:
        while process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                peak = max(peak, tree_bytes(psutil.Process(process.pid)))
            time.sleep(SAMPLE_SECS)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    return peak, time.perf_counter() - started


def main() -> None:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of the images")
    options = parser.parse_args()
    os.environ["PYTHONWARNINGS"] = "ignore"
    small = 5_000 if options.quick else 20_000
    common.print_machine()
    results = {}
    with tempfile.TemporaryDirectory() as name:
        for count in (small, 4 * small):
            write_corpus(Path(name) / str(count), count)
            results[count] = measure(Path(name) / str(count), Path(name))
    common.print_table(
        ["images", "peak memory, MiB", "seconds"],
        [
            [f"{count:,}", f"{peak / 2**20:,.0f}", f"{secs:,.1f}"]
            for count, (peak, secs) in results.items()
        ],
    )
    (small_peak, small_secs), (large_peak, large_secs) = results.values()
    verdict = common.Verdict()
    verdict.claim("peak memory, 4 times / once", large_peak / small_peak, at_most=MAX_MEMORY_RATIO)
    verdict.claim("time, 4 times / once", large_secs / small_secs, at_most=MAX_TIME_RATIO)
    verdict.exit()


if __name__ == "__main__":
    main()
