"""Makes the cache see that something pushed earlier is gone."""

from tfx.dsl.components.base import base_driver
from tfx.dsl.io import fileio
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_driver as portable_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import standard_artifacts

GONE_KEY = "versions_gone"


class Driver(base_driver.BaseDriver, portable_driver.BaseDriver):
    """Adds the number of pushed versions that are gone to the cache key.

    Without it, a run after someone has removed a served version would take 'pushed' from the
    cache and push nothing. Each removal changes the number once; the push itself, which finds
    out whether there is something to do, is cheap.
    """

    def __init__(self, metadata_handle: metadata.Metadata):
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_driver.BaseDriver.__init__(self, metadata_handle)
        self._metadata = metadata_handle

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Counts the versions in ML Metadata that are not in the push folder any more."""
        prefix = execution_info.exec_properties["push_dir"].rstrip("/") + "/"
        with self._metadata as handle:
            pushed = handle.store.get_artifacts_by_type(standard_artifacts.PushedModel.TYPE_NAME)
        destinations = {
            artifact.custom_properties["pushed_destination"].string_value
            for artifact in pushed
            if "pushed_destination" in artifact.custom_properties
        }
        gone = [d for d in destinations if d.startswith(prefix) and not fileio.exists(d)]
        result = driver_output_pb2.DriverOutput()
        result.exec_properties[GONE_KEY].int_value = len(gone)
        return result
