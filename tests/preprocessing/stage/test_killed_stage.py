"""A stage that is killed at any moment leaves no dataset, and the next run no trace of it."""

import glob
import os
import shutil
import signal
import time

import apache_beam as beam
import fresh_process
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from dataset_files import tree
from PIL import Image

from preprocessing import features
from preprocessing.ingest import ingest
from preprocessing.stage import beam_stage
from preprocessing.stage.options import StageOptions

# What is there of a run when it is killed.
MOMENTS = {
    "while pictures are listed": ".source.*/index/*",
    "while the first are made": "source",
    "between two shards": ".dataset.*/scratch/train-00001.json",
    "after the last shard": ".dataset.*/scratch/train-00003.json",
}
TRIES = 5


def run(corpus, output) -> None:
    """Makes a dataset of the corpus."""

    def make_pipeline():
        return beam.Pipeline(options=PipelineOptions(["--direct_num_workers=1"]))

    source = str(output / "source")
    ingest.ingest(str(corpus), source, make_pipeline=make_pipeline, eval_fraction=0.3, seed=3)
    print("ingested", flush=True)
    beam_stage.preprocess(
        source,
        str(output / "dataset"),
        str(output / "quarantine"),
        class_names=["a", "b"],
        options=StageOptions(max_side_px=64),
        make_pipeline=make_pipeline,
    )
    print("done", flush=True)


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


def run_to_the_end(corpus, output):
    done = fresh_process.run(run, corpus, output)
    assert (done.returncode, done.stdout) == (0, "ingested\ndone\n"), done.stderr


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, corpus):
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    output.mkdir()
    run_to_the_end(corpus, output)
    check_whole(output / "source")
    check_whole(output / "dataset")
    return output


def run_until(corpus, output, moment):
    """Starts a run and kills it when a file is there; returns whether it was in its middle."""
    output.mkdir()
    process = fresh_process.start(run, corpus, output)
    while not glob.glob(moment, root_dir=output) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    status = process.wait()
    seen, _ = datasets(output)
    for name in seen & {"source", "dataset"}:
        check_whole(output / name)
    return status == -signal.SIGKILL and "dataset" not in seen


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_some_moment(undisturbed, corpus, tmp_path, moment):
    outputs = (tmp_path / f"out{number}" for number in range(TRIES))
    hits = (output for output in outputs if run_until(corpus, output, MOMENTS[moment]))
    output = next(hits, None)
    assert output, f"{TRIES} runs were over before they were killed"
    for name in datasets(output)[0]:  # as an orchestrator clears the outputs of a failed node
        shutil.rmtree(output / name)
    run_to_the_end(corpus, output)
    assert datasets(output) == ({"source", "dataset", "quarantine"}, set())
    assert tree(output / "source") == tree(undisturbed / "source")
    assert tree(output / "dataset") == tree(undisturbed / "dataset")
