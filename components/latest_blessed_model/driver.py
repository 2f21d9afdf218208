"""Makes the cache see the push folder: chooses the baseline before the cache is asked."""

from typing import Any

from tfx.orchestration.portable import data_types

from components.latest_blessed_model import executor
from components.property_driver import PropertyDriver


class Driver(PropertyDriver):
    """Adds the chosen baseline to the exec properties, and so to the cache key."""

    def properties(self, execution_info: data_types.ExecutionInfo) -> dict[str, Any]:
        """Chooses the baseline; see `executor.describe_baseline`."""
        chosen = executor.describe_baseline(
            execution_info.input_dict, execution_info.exec_properties
        )
        return {executor.BASELINE_KEY: chosen}
