"""The config section `serving.kserve`: serving a pushed model on Kubernetes by KServe."""

import json
from typing import Literal

import pydantic
from pydantic import Field

from pipeline.kubeflow_config import ObjectName
from preprocessing.settings import Settings

# Push folders that KServe sees under the same name.
BUCKETS_OF_KSERVE = ("gs://", "s3://")


class KServeConfig(Settings):
    """The InferenceService that serves what is pushed."""

    enabled: bool = False
    """Whether a pushed model is served there as well."""
    name: str = Field("", pattern=r"^([a-z]([-a-z0-9]{0,61}[a-z0-9])?)?$")
    """Name of the InferenceService; empty: model_name."""
    namespace: ObjectName | Literal[""] = ""
    """Its namespace; empty: that of the step, or of kubectl."""
    storage_uri: str = Field("", pattern=r"^((pvc|gs|s3|hdfs|webhdfs)://\S+)?$")
    """The folder above the versions as KServe sees it, as in pvc://CLAIM/serving/digits; empty:
    push_dir and model_name, where push_dir is gs:// or s3://."""
    runtime_version: str = Field("2.16.1", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
    """Version of TensorFlow Serving, as its images have it (2.16.1-gpu for a GPU)."""
    service_account: ObjectName | Literal[""] = ""
    """Account with the credentials for the storage; empty: the namespace's."""
    timeout_secs: int = Field(900, ge=1)
    """Time in which the new version must be ready, and again in which it must answer."""
    canary_percent: int = Field(10, ge=0, le=99)
    """Traffic that the new version gets while it is tried, if another one serves the rest; 0: only
    what the trial itself sends to the address of the new version."""
    endpoint: str = Field("", pattern=r"^(https?://[^\s@]+)?$")
    """Where requests of the trial are sent, as to the gateway of the cluster
    (http://localhost:8081 for a forwarded port), with the host of KServe's own address in their
    header; empty: to that address."""

    @pydantic.field_validator("storage_uri", "endpoint")
    @classmethod
    def _no_slash_at_the_end(cls, value: str) -> str:
        return value.rstrip("/")

    def options(self, model_name: str, push_dir: str, parity_tolerance: float) -> str:
        """What the Pusher is given: JSON, empty where nothing is served there.

        Args:
          model_name: `serving.model_name`.
          push_dir: folder of the versions.
          parity_tolerance: largest allowed difference of a probability.
        """
        if not self.enabled:
            return ""
        values = self.model_dump(exclude={"enabled"})
        values |= {"name": self.name or model_name, "storage_uri": self.storage_uri or push_dir}
        return json.dumps({**values, "tolerance": parity_tolerance}, sort_keys=True)
