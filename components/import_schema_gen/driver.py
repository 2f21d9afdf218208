"""Lets the cache see an edited schema file."""

import hashlib
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.dsl.io import fileio
from tfx.orchestration.portable import data_types
from tfx.types import standard_component_specs

from components.property_driver import PropertyDriver
from preprocessing.errors import InputError

DIGEST_KEY = "schema_sha256"


class Driver(PropertyDriver):
    """Runs before the cache is asked; see `ImportSchemaGen`."""

    def properties(self, execution_info: data_types.ExecutionInfo) -> dict[str, Any]:
        """The digest of the schema file.

        Raises:
          InputError: the file cannot be read or is no schema.
        """
        path = execution_info.exec_properties[standard_component_specs.SCHEMA_FILE_KEY]
        try:
            with fileio.open(path, "rb") as file:
                data = file.read()
            text_format.Parse(data.decode(), schema_pb2.Schema())
        except (OSError, UnicodeDecodeError, text_format.ParseError, fileio.NotFoundError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                "data.schema_file must be a TensorFlow Metadata schema as text, such as the "
                f"schema.pbtxt of an earlier run. Received: {path!r} ({reason})"
            ) from None
        return {DIGEST_KEY: hashlib.sha256(data).hexdigest()}
