"""Starts the probe in a fresh process and turns what it says into a blessing."""

import dataclasses
import json
import logging
import os
import posixpath
import subprocess
import sys
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components import progress, saved_models

PARITY_FILE = "parity.tfrecord"
RESULT_FILE = "serving_check.json"
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
      latency_ms: by batch size: `{"p50", "p90", "p99", "batches"}`, in milliseconds a batch.
    """

    blessed: bool
    reason: str
    images: int = 0
    max_difference: float | None = None
    latency_ms: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)


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
        logging.info("Serving check: %s", result.reason)
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        text = json.dumps(dataclasses.asdict(result), indent=2)
        io_utils.write_string_file(posixpath.join(blessing.uri, RESULT_FILE), text)
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
    # Isolated (-I): no PYTHONPATH, no current folder, no user packages. What runs on a data
    # machine never takes the GPU.
    command = [sys.executable, "-I", str(PROBE), model, parity_file]
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
    return _judge(found, parity_tolerance)


def _judge(found: dict[str, Any], parity_tolerance: float) -> ServingCheck:
    difference, images = found["max_difference"], found["images"]
    blessed = False
    if found["no_answers"]:
        reason = f"{found['no_answers']} of {images} pictures got no probabilities"
    elif found["wrong_labels"]:
        reason = f"{found['wrong_labels']} of {images} labels are not the likeliest class's name"
    elif difference is None:
        reason = "the training path's probabilities are not numbers"
    else:
        blessed = difference <= parity_tolerance
        reason = f"served and trained probabilities differ by {difference:.2g} at most"
        reason += f" over {images} images" if blessed else f"; allowed {parity_tolerance:.2g}"
    return ServingCheck(blessed, reason, images, difference, found["latency_ms"])
