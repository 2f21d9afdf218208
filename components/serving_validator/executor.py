"""Starts the probe in a fresh process and turns what it says into a blessing."""

import dataclasses
import json
import logging
import os
import posixpath
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components import progress, saved_models
from components.serving_validator import warm_up_requests
from components.stored_names import PARITY_FILE, SERVING_CHECK_FILE
from preprocessing.files.plain_path import plain_path

EXTRA_EXPORTS_FILE = "extra_exports/extra_exports.json"
PROBE = Path(__file__).with_name("probe.py")
# Loading, tracing and the repeated batches of a large model stay far below this.
TIMEOUT_SECS = 1800.0
_LAST_LINE_CHARS = 300


@dataclasses.dataclass(frozen=True)
class ServingCheck:
    """What the fresh process found.

    Attributes:
      blessed: whether the model may be served.
      reason: one line.
      images: number of images that were compared.
      max_difference: largest difference of a probability, or None if it is not a number or
        nothing was compared.
      max_log_difference: the same of the logarithms of those that are not tiny, which is the
        difference of the logits up to a constant a row.
      latency_ms: by batch size: `{"p50", "p90", "p99", "batches"}`, in milliseconds a batch.
      memory_mb: resident memory of the fresh process, `loaded` and at its `peak`, 10^6 bytes.
      extra_exports: what the training measured of the other variants of the model, as in its
        `extra_exports.json`; they decide nothing.
    """

    blessed: bool
    reason: str
    images: int = 0
    max_difference: float | None = None
    max_log_difference: float | None = None
    latency_ms: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    memory_mb: dict[str, float] = dataclasses.field(default_factory=dict)
    extra_exports: list[dict[str, Any]] = dataclasses.field(default_factory=list)


class Executor(base_executor.BaseExecutor):
    """See `components.serving_validator.component.ServingValidator`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Checks the model and writes the blessing."""
        progress.report("loading the SavedModel in a fresh process")
        run_uri = artifact_utils.get_single_uri(input_dict["model_run"])
        model = saved_models.of_artifact(input_dict["model"])
        if model is None:
            result = ServingCheck(blessed=False, reason="the trainer exported no SavedModel")
        else:
            parity = posixpath.join(run_uri, PARITY_FILE)
            result = check(model, parity, exec_properties["parity_tolerance"])
        extra = posixpath.join(run_uri, EXTRA_EXPORTS_FILE)
        if fileio.exists(extra):
            entries = json.loads(io_utils.read_string_file(extra))
            result = dataclasses.replace(result, extra_exports=entries)
        logging.info("Serving check: %s", result.reason)
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        text = json.dumps(dataclasses.asdict(result), indent=2)
        io_utils.write_string_file(posixpath.join(blessing.uri, SERVING_CHECK_FILE), text)
        # The property and the file by which TFX's Pusher and its tools know a blessing.
        blessing.set_int_custom_property("blessed", int(result.blessed))
        marker = "INFRA_BLESSED" if result.blessed else "INFRA_NOT_BLESSED"
        io_utils.write_string_file(posixpath.join(blessing.uri, marker), "")


def check(model: str, parity_file: str, parity_tolerance: float) -> ServingCheck:
    """Compares a SavedModel with the training path, in a fresh process.

    Args:
      model: folder of the SavedModel.
      parity_file: TFRecord with `image/encoded` and `probabilities` (float32 [C]) a record.
      parity_tolerance: largest allowed difference of a probability.

    Returns:
      What was found. A model that does not load or answer is a result, not an error.
    """
    damaged = saved_models.damaged_files(model)
    if damaged:
        return ServingCheck(blessed=False, reason=f"the SavedModel is damaged: {damaged[0]}")
    with tempfile.TemporaryDirectory() as folder:
        warm_up = os.path.join(folder, "warm_up.tfrecord")
        try:
            warm_up = warm_up_requests.unpack(model, warm_up)
        except ValueError as error:
            return ServingCheck(blessed=False, reason=str(error))
        with plain_path(model) as plain:
            return _probe(plain, parity_file, warm_up, parity_tolerance)


def _probe(model: str, parity_file: str, warm_up: str, parity_tolerance: float) -> ServingCheck:
    # Isolated (-I): no PYTHONPATH, no current folder, no user packages. What runs on a data
    # machine never takes the GPU.
    command = [sys.executable, "-I", str(PROBE), model, parity_file, warm_up]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=TIMEOUT_SECS
        )
    except subprocess.TimeoutExpired:
        reason = f"the fresh process did not end within {TIMEOUT_SECS:.0f} s"
        return ServingCheck(blessed=False, reason=reason)
    sys.stderr.write(done.stderr)  # the node's log
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        reason = f"the SavedModel does not serve: {lines[-1][:_LAST_LINE_CHARS]}"
        return ServingCheck(blessed=False, reason=reason)
    found = json.loads(done.stdout.splitlines()[-1])
    blessed, reason = _judge(found, parity_tolerance)
    kept = ("images", "max_difference", "max_log_difference", "latency_ms", "memory_mb")
    return ServingCheck(blessed, reason, **{name: found[name] for name in kept})


def _judge(found: dict[str, Any], parity_tolerance: float) -> tuple[bool, str]:
    difference, images = found["max_difference"], found["images"]
    problems = [
        (found["no_answers"], "{} of {} pictures got no probabilities"),
        (found["wrong_labels"], "{} of {} labels are not the likeliest class's name"),
        (found["wrong_classes"], "{} of {} pictures have a class that the model names otherwise"),
    ]
    for count, text in problems:
        if count:
            return False, text.format(count, images)
    if not found["bad_rows_spare_others"]:
        return False, "a file that is no picture gets an answer, or spoils the rest of its batch"
    if found["warm_up_failures"]:
        return False, f"warm-up {found['warm_up_failures'][0]}"
    if difference is None:
        return False, "the training path's probabilities are not numbers"
    reason = f"served and trained probabilities differ by {difference:.2g} at most"
    if difference <= parity_tolerance:
        return True, f"{reason} over {images} images"
    return False, f"{reason}; allowed {parity_tolerance:.2g}"
