"""Makes the cache see the push folder: chooses the baseline before the cache is asked."""

from tfx.dsl.components.base import base_driver
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_driver as portable_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from components.latest_blessed_model import executor


class Driver(base_driver.BaseDriver, portable_driver.BaseDriver):
    """Adds the chosen baseline to the exec properties, and so to the cache key.

    Both bases are needed, as in TFX's ExampleGen: a component only takes the first, the
    launcher calls the second.
    """

    def __init__(self, metadata_handle: metadata.Metadata):
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Chooses the baseline; see `executor.describe_baseline`."""
        result = driver_output_pb2.DriverOutput()
        result.exec_properties[executor.BASELINE_KEY].string_value = executor.describe_baseline(
            execution_info.input_dict, execution_info.exec_properties
        )
        return result
