"""Lets the cache see changed images: a fingerprint of the folder becomes an exec property."""

from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types_utils, metadata
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

from components.image_example_gen import executor
from preprocessing import image_folder


# The first base is what a component may name as its driver, the second is what runs.
class Driver(base_driver.BaseDriver, portable_base_driver.BaseDriver):
    """Runs before the cache is asked; see `ImageExampleGen`."""

    def __init__(self, metadata_handle: metadata.Metadata):
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Returns the exec properties, with the fingerprint of the folder.

        Raises:
          InputError: the folder is not usable.
        """
        properties = dict(execution_info.exec_properties)
        files = image_folder.list_images(properties[executor.PATH_KEY])
        properties[executor.FINGERPRINT_KEY] = image_folder.fingerprint(files)
        result = driver_output_pb2.DriverOutput()
        for key, value in properties.items():
            if value is not None:
                data_types_utils.set_metadata_value(result.exec_properties[key], value)
        return result
