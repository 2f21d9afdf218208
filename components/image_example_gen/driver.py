"""Lets the cache see new spans and changed images: what is there becomes exec properties."""

from typing import Any

from tfx.orchestration.portable import data_types

from components.image_example_gen import executor
from components.parameters import from_exec_properties
from components.property_driver import PropertyDriver
from preprocessing.ingest.options import IngestOptions


class Driver(PropertyDriver):
    """Runs before the cache is asked; see `ImageExampleGen`."""

    def properties(self, execution_info: data_types.ExecutionInfo) -> dict[str, Any]:
        """The span and the version that are read, and the fingerprint of the corpus.

        Raises:
          InputError: the corpus is not usable.
        """
        options = from_exec_properties(IngestOptions, execution_info.exec_properties)
        source, resolved = options.open()
        return {
            executor.SPAN_KEY: resolved.span if resolved.has_span else None,
            executor.VERSION_KEY: resolved.version,
            executor.FINGERPRINT_KEY: source.fingerprint(),
        }
