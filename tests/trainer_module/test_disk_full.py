"""A disk that fills up at any write of a training: it is named, and what was there stays whole."""

import gc
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import fresh_process
import numpy as np
import pytest
import small_disk
from trainings import output_file

from preprocessing.files import new_file
from preprocessing.files.disk_full import DiskFullError
from trainer_module import checkpoint_files, rank
from trainer_module.config import TrainConfig
from trainer_module.job import heartbeat, rank_config, supervisor, train_log
from trainer_module.job.heartbeat import Heartbeat
from trainer_module.network import weights_io

TIMEOUT_SECS = 280


def run_on_small_disk(
    function: Callable[[TrainConfig], int], config: TrainConfig, size_bytes: int, kept: Path
) -> int:
    """Runs a training in a folder on a disk of its own, and keeps what it leaves there."""
    model_dir = Path(config.model_dir)
    before = shutil.move(model_dir, model_dir.with_name("before")) if model_dir.exists() else None
    model_dir.parent.joinpath("disk").mkdir()
    model_dir = model_dir.parent / "disk"
    small_disk.mount(model_dir, size_bytes)
    if before:
        shutil.copytree(before, model_dir, dirs_exist_ok=True)
    status = function(config.model_copy(update={"model_dir": str(model_dir)}))
    shutil.copytree(model_dir, kept)
    return status


@pytest.fixture
def on_small_disk(tmp_path):
    """The exit status of a training on a small disk, what it printed, and what it left."""

    def run(function, config: TrainConfig, size_bytes: int) -> tuple[int, str, Path]:
        kept, printed = tmp_path / "kept", output_file(config)
        arguments = (run_on_small_disk, function, config, size_bytes, kept)
        status = fresh_process.start(*arguments, stdout=printed).wait(TIMEOUT_SECS)
        if status == small_disk.NOT_ALLOWED:
            pytest.skip("this system lets processes have no disk of their own")
        return status, printed.read_text(), kept

    return run


def contents(folder: Path, *names: str) -> dict[Path, bytes]:
    """The files of a training below some of its files and folders."""
    files = [path for name in names for path in [folder / name, *folder.glob(f"{name}/**/*")]]
    return {p.relative_to(folder): p.read_bytes() for p in files if p.is_file()}


def test_a_checkpoint_without_space_ends_the_training_once(make_tiny, tmp_path, on_small_disk):
    config = make_tiny(tmp_path / "model").model_copy(update={"max_restarts": 2})
    status, printed, kept = on_small_disk(supervisor.run, config, 400_000)
    assert status == 3
    disk = tmp_path / "disk"
    assert printed.splitlines()[-1] == (
        f"error: no space left on tmpfs (mounted at {disk}) for "
        f"{disk}/checkpoints/step-000000000019.npz"
    )
    assert "starting again" not in printed
    assert list((kept / "checkpoints").iterdir()) == []
    lines = (kept / "train_log.jsonl").read_text().splitlines()
    assert all(json.loads(line) for line in lines)


def test_an_export_without_space_leaves_the_one_before(trained, make_tiny, tmp_path, on_small_disk):
    config = make_tiny(shutil.copytree(trained, tmp_path / "model"))
    names = ("checkpoints", "export", "best.weights.h5", "parity.tfrecord", "train_summary.json")
    before = contents(tmp_path / "model", *names)
    assert len(before) > 8
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    used = sum(-(-path.stat().st_size // 4096) * 4096 for path in files)
    status, printed, kept = on_small_disk(rank.run, config, used + 400_000)
    assert status == 3, printed
    disk = re.escape(str(tmp_path / "disk"))
    assert re.fullmatch(
        rf"error: no space left on tmpfs \(mounted at {disk}\) for {disk}/export",
        printed.splitlines()[-1],
    )
    assert contents(kept, *names) == before
    assert not list(kept.glob("*.partial")) + list(kept.glob(".*writing"))


def write_on_full_disk(folder: Path) -> None:
    """Writes small files where there is no space; what is wrong is raised."""
    small_disk.mount(folder, 100_000)
    config = TrainConfig(model_dir=str(folder))
    beats = Heartbeat(str(folder), 0, interval_secs=0.01)
    beats.start()
    train_log.append(folder, {"message": "before"})
    rank_config.write(config)
    small_disk.fill(folder)
    texts = {path: path.read_text() for path in folder.glob("*.json*")}
    writers = {
        folder / "train_log.jsonl": lambda: train_log.append(folder, {"message": "x" * 9000}),
        folder / "config.json": lambda: rank_config.write(config),
        folder / "new": lambda: new_file.write_text(folder / "new", "text"),
        folder / "ranks" / "rank-0.json": lambda: [beats.begin_step(1) for _ in range(10**9)],
        folder / "ranks" / "rank-1.json": Heartbeat(str(folder), 1).start,
    }
    for path, write in writers.items():
        with pytest.raises(DiskFullError) as caught:
            write()
        assert str(caught.value) == f"no space left on tmpfs (mounted at {folder}) for {path}"
    assert {path: path.read_text() for path in folder.glob("*.json*")} == texts
    # A reader learns all the same how the rank ended.
    beats.stop(3, "no space left")
    [report] = heartbeat.read_all(str(folder))
    assert (report.rank, report.status, report.error) == (0, 3, "no space left")


def write_arrays_on_full_disk(folder: Path, free_bytes: int) -> None:
    """Writes large files where there is little space; what is wrong is raised."""
    small_disk.mount(folder, free_bytes)
    arrays = {f"layer_{n}/kernel": np.full((40, 100), n, np.float32) for n in range(40)}
    weights, checkpoint = folder / "x.weights.h5", folder / "step.npz"

    def write_checkpoint() -> None:
        with new_file.new_file(checkpoint) as temporary:
            checkpoint_files.write(temporary, arrays)

    writers = {weights: lambda: weights_io.save(weights, arrays), checkpoint: write_checkpoint}
    for path, write in writers.items():
        with pytest.raises(DiskFullError) as caught:
            write()
        assert str(caught.value) == f"no space left on tmpfs (mounted at {folder}) for {path}"
        del caught
        gc.collect()  # what complains when it is thrown away does so now
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("free_bytes", [4096, 20_000, 300_000])
def test_nothing_but_the_error_tells_that_arrays_have_no_space(tmp_path, free_bytes):
    printed = tmp_path / "printed.txt"
    (tmp_path / "disk").mkdir()
    arguments = (write_arrays_on_full_disk, tmp_path / "disk", free_bytes)
    status = fresh_process.start(*arguments, stdout=printed).wait(60)
    if status == small_disk.NOT_ALLOWED:
        pytest.skip("this system lets processes have no disk of their own")
    assert (status, printed.read_text()) == (0, "")


def test_each_file_without_space_is_named_and_stays_as_it_was(tmp_path):
    printed = tmp_path / "printed.txt"
    (tmp_path / "disk").mkdir()
    status = fresh_process.start(write_on_full_disk, tmp_path / "disk", stdout=printed).wait(60)
    if status == small_disk.NOT_ALLOWED:
        pytest.skip("this system lets processes have no disk of their own")
    assert status == 0, printed.read_text()
