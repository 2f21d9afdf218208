"""Lets the cache see other pretrained weights under the same path."""

import json
from pathlib import Path
from typing import Any

from tfx.orchestration.portable import data_types

from components.property_driver import PropertyDriver
from components.stored_names import JOB_CONFIG
from preprocessing.errors import InputError
from preprocessing.files.digest import sha256_of

DIGEST_KEY = "init_weights_sha256"


class Driver(PropertyDriver):
    """Runs before the cache is asked; see `HorovodTrainer`."""

    def properties(self, execution_info: data_types.ExecutionInfo) -> dict[str, Any]:
        """The digest of the file of `init_weights`, empty where there is none.

        Raises:
          InputError: the file cannot be read.
        """
        path = json.loads(execution_info.exec_properties[JOB_CONFIG])["init_weights"]
        return {DIGEST_KEY: _sha256(Path(path)) if path else ""}


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return sha256_of(file)
    except OSError as error:
        raise InputError(
            f"trainer.init_weights must be a file. Received: {str(path)!r} ({error.strerror})"
        ) from None
