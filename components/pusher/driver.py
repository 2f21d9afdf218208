"""Makes the cache see that something pushed earlier is gone."""

from typing import Any

from tfx.dsl.io import fileio
from tfx.orchestration.portable import data_types
from tfx.types import standard_artifacts

from components.property_driver import PropertyDriver

GONE_KEY = "versions_gone"


class Driver(PropertyDriver):
    """Adds the number of pushed versions that are gone to the cache key.

    Without it, a run after someone has removed a served version would take 'pushed' from the
    cache and push nothing. Each removal changes the number once; the push itself, which finds
    out whether there is something to do, is cheap.
    """

    def properties(self, execution_info: data_types.ExecutionInfo) -> dict[str, Any]:
        """Counts the versions in ML Metadata that are not in the push folder any more.

        Nothing where there is no ML Metadata: no cache then takes a push for done.
        """
        if self._metadata is None:
            return {}
        prefix = execution_info.exec_properties["push_dir"].rstrip("/") + "/"
        with self._metadata as handle:
            pushed = handle.store.get_artifacts_by_type(standard_artifacts.PushedModel.TYPE_NAME)
        destinations = {
            artifact.custom_properties["pushed_destination"].string_value
            for artifact in pushed
            if "pushed_destination" in artifact.custom_properties
        }
        gone = [d for d in destinations if d.startswith(prefix) and not fileio.exists(d)]
        return {GONE_KEY: len(gone)}
