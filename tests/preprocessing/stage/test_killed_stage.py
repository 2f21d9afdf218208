"""A stage that is killed at any moment leaves no dataset, and the next run no trace of it."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from preprocessing import features
from preprocessing.ingest import ingest

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import sys
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from preprocessing.ingest import ingest
from preprocessing.stage import beam_stage
from preprocessing.stage.options import StageOptions
corpus, output = sys.argv[1:]
make_pipeline = lambda: beam.Pipeline(options=PipelineOptions(["--direct_num_workers=1"]))
print("ready", flush=True)
ingest.ingest(corpus, f"{output}/source", make_pipeline=make_pipeline, eval_fraction=0.3, seed=3)
print("ingested", flush=True)
options = StageOptions(max_side_px=64)
beam_stage.preprocess(f"{output}/source", f"{output}/dataset", f"{output}/quarantine",
    class_names=["a", "b"], options=options, make_pipeline=make_pipeline)
print("done", flush=True)
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """80 pictures of the size of photographs, so that a run has a middle."""
    root = tmp_path_factory.mktemp("killed") / "corpus"
    random_pixels = np.random.default_rng(0)
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        for number in range(40):
            noise = random_pixels.integers(0, 256, (48, 64, 3), np.uint8)
            image = Image.fromarray(noise).resize((1600, 1200), Image.Resampling.BILINEAR)
            image.save(root / name / f"{number}.jpg")
    return root


def start(corpus, output):
    command = [sys.executable, "-W", "ignore", "-c", RUN, str(corpus), str(output)]
    with open(output.parent / "log.txt", "ab") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def datasets(output):
    """Names below the output folder that a reader sees, and those that are hidden."""
    names = os.listdir(output) if output.exists() else []
    return (
        {name for name in names if not name.startswith(".")},
        {name for name in names if name.startswith(".")},
    )


def check_whole(folder):
    """A dataset that can be seen has all that it ever will have."""
    names = {path.name for path in folder.iterdir()}
    if folder.name == "source":
        assert {"index", "Split-train", "Split-eval"} <= names
        rows = [row for path in ingest.index_files(folder) for row in ingest.read_index(path)]
        assert len(rows) == 80
    else:
        assert {"labels.txt", "counts.json", features.MANIFEST_FILE} <= names
        assert "scratch" not in names
    assert not list(folder.rglob("*.writing"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, corpus):
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    output.mkdir()
    process, started = start(corpus, output), time.monotonic()
    text, _ = process.communicate()
    assert text == "ingested\ndone\n"
    return output, time.monotonic() - started


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_killed_at_some_moment(undisturbed, corpus, tmp_path, share):
    whole, secs = undisturbed
    output = tmp_path / "out"
    output.mkdir()
    process = start(corpus, output)
    time.sleep(secs * (share + random.uniform(-0.1, 0.1)))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    seen, _ = datasets(output)
    for name in seen & {"source", "dataset"}:
        check_whole(output / name)
    if "dataset" in seen:
        return  # it had just ended
    for name in seen:  # as an orchestrator clears the outputs of a failed node
        shutil.rmtree(output / name)
    process = start(corpus, output)
    assert process.communicate()[0] == "ingested\ndone\n"
    assert datasets(output) == ({"source", "dataset", "quarantine"}, set())
    assert tree(output / "source") == tree(whole / "source")
    assert tree(output / "dataset") == tree(whole / "dataset")
