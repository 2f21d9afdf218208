"""Lets the cache see changed images: a fingerprint of the folder becomes an exec property."""

from typing import Any

from tfx.orchestration.portable import data_types

from components.image_example_gen import executor
from components.property_driver import PropertyDriver
from preprocessing import image_folder


class Driver(PropertyDriver):
    """Runs before the cache is asked; see `ImageExampleGen`."""

    def properties(self, execution_info: data_types.ExecutionInfo) -> dict[str, Any]:
        """The fingerprint of the folder.

        Raises:
          InputError: the folder is not usable.
        """
        files = image_folder.list_images(execution_info.exec_properties[executor.PATH_KEY])
        return {executor.FINGERPRINT_KEY: image_folder.fingerprint(files)}
