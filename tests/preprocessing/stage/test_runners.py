"""The same bytes on every runner and with every number of workers."""

import subprocess
import sys
import time

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from dataset_files import tree
from nasty_corpus import CLASS_NAMES, with_a_vanishing_file

from preprocessing.ingest import ingest
from preprocessing.stage import beam_stage
from preprocessing.stage.options import StageOptions

OPTIONS = StageOptions(max_side_px=64, max_bad_fraction=0.5, on_duplicate="drop")


def maker(*options):
    return lambda: beam.Pipeline(options=PipelineOptions(list(options)))


def run_ingestion(corpus, root, make_pipeline):
    ingest.ingest(
        str(corpus),
        str(root / "source"),
        make_pipeline=with_a_vanishing_file(corpus, make_pipeline),
        eval_fraction=0.3,
        seed=3,
    )
    return tree(root / "source")


def run_stage(source, root, make_pipeline):
    beam_stage.preprocess(
        str(source),
        str(root / "dataset"),
        str(root / "quarantine"),
        class_names=CLASS_NAMES,
        options=OPTIONS,
        make_pipeline=make_pipeline,
    )
    return tree(root / "dataset") | tree(root / "quarantine")


@pytest.fixture(scope="module")
def reference(tmp_path_factory, nasty_corpus):
    """The folder of the source records, their files, and those that the stage makes of them."""
    root = tmp_path_factory.mktemp("reference")
    source = run_ingestion(nasty_corpus, root, maker("--direct_num_workers=1"))
    made = run_stage(root / "source", root, maker("--direct_num_workers=1"))
    assert len(list((root / "source").glob("Split-*/*"))) > 3  # something to share
    return root / "source", source, made


@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_worker_processes(reference, tmp_path, num_workers):
    make_pipeline = maker(
        "--direct_running_mode=multi_processing", f"--direct_num_workers={num_workers}"
    )
    assert run_stage(reference[0], tmp_path, make_pipeline) == reference[2]


def test_threads(reference, tmp_path):
    make_pipeline = maker("--direct_running_mode=multi_threading", "--direct_num_workers=3")
    assert run_stage(reference[0], tmp_path, make_pipeline) == reference[2]


@pytest.fixture
def job_server(tmp_path):
    """The address of a job server in a process of its own: what Flink and Spark offer as well."""
    port = tmp_path / "port"
    command = ["apache_beam.runners.portability.local_job_service_main", "--port=0"]
    with open(tmp_path / "log.txt", "w") as log:
        server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", *command, f"--port_file={port}"],
            stdout=log,
            stderr=log,
            cwd=tmp_path,
        )
    deadline = time.monotonic() + 60
    while not (port.exists() and port.read_text()):
        assert server.poll() is None, (tmp_path / "log.txt").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield f"localhost:{port.read_text().strip()}"
    server.terminate()
    server.wait()


def test_portable_runner(reference, nasty_corpus, job_server, tmp_path):
    make_pipeline = maker(
        "--runner=PortableRunner", f"--job_endpoint={job_server}", "--environment_type=LOOPBACK"
    )
    assert run_ingestion(nasty_corpus, tmp_path, make_pipeline) == reference[1]
    assert run_stage(tmp_path / "source", tmp_path, make_pipeline) == reference[2]
