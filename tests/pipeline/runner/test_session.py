"""A whole run of one node, on an ML Metadata server that does not take all of it."""

import json
from pathlib import Path

import fresh_process
import pytest
import yaml
from ml_metadata import errors
from PIL import Image
from store_servers import Service

from pipeline import cli


@pytest.fixture
def config(tmp_path) -> Path:
    for number in range(8):
        folder = tmp_path / "pictures" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (number, 0, 0)).save(folder / f"{number}.png")
    path = tmp_path / "small.yaml"
    values = {"data": {"path": str(tmp_path / "pictures")}, "evaluation": {"min_top_1": 0.5}}
    path.write_text(yaml.safe_dump(values))
    return path


def run(config: Path, server: Service, folder: Path) -> fresh_process.Done:
    uri = f"pipeline.metadata_uri=grpc://127.0.0.1:{server.port}"
    command = ["run", str(config), "--output_dir", str(folder), "--until", "ImageExampleGen"]
    return fresh_process.run(cli.main, [*command, "--set", uri])


def test_run_whose_last_record_is_refused_ends_in_order(mlmd_service, config, tmp_path):
    mlmd_service.new_store()
    records: list[bytes] = []

    def refuse_the_last(name, request, do):
        if name == "PutArtifacts" and b"lineage.json" in request:
            records.append(request)
            if len(records) > 1:
                raise errors.InvalidArgumentError("records are full\nnobody knows why")
        return do()

    mlmd_service.intercept = refuse_the_last
    done = run(config, mlmd_service, tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(records) == 2
    told = [line for line in done.stdout.splitlines() if line.startswith("record ")]
    assert len(told) == 1
    assert "not complete, ML Metadata did not take it" in told[0]
    assert "records are full" in told[0]
    assert "Traceback" not in done.stdout + done.stderr
    [record] = (tmp_path / "out").glob("artifacts/lineage/*/lineage.json")
    assert json.loads(record.read_text())["run"]["state"] == "partial"
    assert (tmp_path / "out" / "summary.json").is_file()


def test_runs_that_begin_in_the_same_second_all_go_on(mlmd_service, config, tmp_path):
    """The second one finds its name taken, whatever the second is."""
    mlmd_service.new_store()
    first = run(config, mlmd_service, tmp_path / "first")
    assert first.returncode == 0, first.stdout + first.stderr
    taken: list[bytes] = []

    def taken_once(name, request, do):
        if name == "PutContexts" and b"output_dir" in request and not taken:
            taken.append(request)
            raise errors.AlreadyExistsError("there is one of this name")
        return do()

    mlmd_service.intercept = taken_once
    done = run(config, mlmd_service, tmp_path / "second")
    assert done.returncode == 0, done.stdout + done.stderr
    assert taken
    [record] = (tmp_path / "second").glob("artifacts/lineage/*/lineage.json")
    run_id = record.parent.name
    assert run_id.endswith("-2")
    assert f"run {run_id}, since ML Metadata has a run" in done.stdout
    logs, reports = tmp_path / "second" / "logs", tmp_path / "second" / "reports"
    # Beside the pages about all runs, which are files.
    of_runs = [p.name for p in reports.iterdir() if p.is_dir()]
    assert [p.name for p in logs.iterdir()] == of_runs == [run_id]
    assert (logs / run_id / "startup.log").is_file()
    assert (logs / run_id / "ImageExampleGen.log").is_file()
