"""Drivers: what a node looks up before the cache is asked, so that the cache key holds it."""

import abc
from typing import Any

from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2


# The first base is what a component may name as its driver, the second is what the launcher runs.
class PropertyDriver(base_driver.BaseDriver, portable_base_driver.BaseDriver, abc.ABC):
    """Adds exec properties.

    Kubeflow Pipelines runs no drivers: there the step itself asks its driver for them before it
    does its work, and there is no ML Metadata.
    """

    def __init__(self, metadata_handle: metadata.Metadata | None):
        """`metadata_handle` is None where there is no ML Metadata."""
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)
        self._metadata = metadata_handle

    @abc.abstractmethod
    def properties(self, execution_info: data_types.ExecutionInfo) -> dict[str, Any]:
        """What is added to the exec properties: strings, integers or floats by name."""

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the exec properties with the added ones."""
        every = {**execution_info.exec_properties, **self.properties(execution_info)}
        result = driver_output_pb2.DriverOutput()
        for key, value in every.items():
            if value is not None:
                data_types_utils.set_metadata_value(result.exec_properties[key], value)
        return result
