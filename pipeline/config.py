"""The configuration of a run: one immutable object of typed sections.

`pipeline/config_file.py` reads it from a file. Nothing here imports TensorFlow, so that a bad
config is refused at once.
"""

import re
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from components.example_validator.limits import Limits
from pipeline import node_names, store_uri
from pipeline.kserve_config import BUCKETS_OF_KSERVE, KServeConfig
from pipeline.kubeflow_config import KubeflowConfig
from preprocessing.ingest.options import IngestOptions
from preprocessing.settings import Float, Settings
from preprocessing.stage.options import CopyOptions, PictureOptions
from preprocessing.yaml_values import in_yaml
from trainer_module.config import TrainConfig


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", value):
        raise ValueError("must be lower-case letters, digits and hyphens, 63 at most")
    return value


# Names become folders, Kubernetes objects and MLMD contexts.
Name = Annotated[str, pydantic.AfterValidator(_name)]


# Keys of the trainer that a run cannot honour, and what a person who sets one may want.
NOT_IN_A_RUN = {
    "mode": "a run always trains and evaluates; the other modes are those of `effnet train`",
    "benchmark_steps": "the benchmark modes are those of `effnet train`",
    "data_dir": "a run trains on the records that it makes; data.path says of which images",
    "model_dir": "a run keeps its trainings in its output folder (--output_dir)",
    "num_classes": "the classes are those of the data; data.class_names_file can name them",
    "label_offset": "the records of a run begin at 0; data.label_offset is that of the source",
    "background": "use preprocessing.background, which holds for training and serving",
    "max_side_px": "use preprocessing.max_side_px, which holds for training and serving",
    "gray16": "use preprocessing.gray16, which holds for training and serving",
    "max_pixels": "use preprocessing.max_pixels, which holds for training and serving",
    "export_precision": "use serving.precision",
    "export_tflite": "use serving.tflite",
}


class AnomalyOptions(Settings):
    """What counts as unusual, and what is done about it."""

    on_anomaly: Literal["warn", "fail"] = "warn"
    """What to do with an unusual corpus: tell it, or stop before the preprocessing."""
    min_side_px: int = Field(Limits.min_side_px, ge=1)
    """Images with a smaller height or width are unusual."""
    max_side_px: int = Field(Limits.max_side_px, ge=1)
    """Images with a larger height or width are unusual."""
    max_aspect_ratio: Float = Field(Limits.max_aspect_ratio, ge=1)
    """Images whose longer side is more than this many times the shorter one are unusual."""
    min_images_per_class: int = Field(Limits.min_images_per_class, ge=0)
    """Classes with fewer images are unusual."""
    max_class_drift: Float = Field(Limits.max_class_drift, ge=0, le=1)
    """Largest change of a class's share of the images, 0 to 1, against the corpus before."""
    max_size_drift: Float = Field(Limits.max_size_drift, ge=0, le=1)
    """Largest Jensen-Shannon divergence of heights, widths and so on, against the same."""
    previous_statistics: str = ""
    """Folder of the statistics to compare with; empty: those of the newest corpus before."""
    schema_file: str = ""
    """Schema that a person edited (schema.pbtxt); empty: inferred from the images."""

    @pydantic.model_validator(mode="after")
    def _sides_in_order(self) -> "AnomalyOptions":
        if self.min_side_px > self.max_side_px:
            raise ValueError(
                "data.min_side_px must not be above data.max_side_px. "
                f"Received: {self.min_side_px} and {self.max_side_px}"
            )
        return self


class DataConfig(AnomalyOptions, CopyOptions, IngestOptions):
    """The corpus."""

    description: str = ""
    """What the images are and where they come from: for the model card and Croissant."""
    license: str = ""
    """Licence of the images, as in cc-by-4.0, or its URL: for the same."""


class EvaluationConfig(Settings):
    """The gate: what a model must reach to be pushed."""

    min_top_1: Float | None = Field(None, ge=0, le=1)
    """Smallest top-1 accuracy, 0 to 1."""
    min_top_5: Float | None = Field(None, ge=0, le=1)
    """Smallest top-5 accuracy, 0 to 1."""
    max_top_1_drop: Float | None = Field(None, ge=0, le=1)
    """Largest loss of top-1 against the model that is served now, on the same images."""
    min_worst_slice_top_1: Float | None = Field(None, ge=0, le=1)
    """Smallest top-1 of any slice that has `min_slice_examples` images."""
    max_slice_top_1_drop: Float | None = Field(None, ge=0, le=1)
    """Largest loss of top-1 in any such slice against the model that is served now."""
    min_examples: int = Field(1, ge=1)
    """Smallest number of evaluation images."""
    min_slice_examples: int = Field(30, ge=1)
    """Slices with fewer images decide nothing."""
    decide_on: Literal["estimate", "lower_bound"] = "estimate"
    """What the rules compare: what was measured, or the lower end of its interval."""
    confidence: Float = Field(0.95, gt=0, lt=1)
    """Confidence of all intervals, both sides together."""
    broken_baseline: Literal["skip", "fail"] = "fail"
    """What to do when the served model does not load: judge without it, or stop."""
    slices: list[Literal["class", "size", "format"]] = Field(
        default_factory=lambda: ["class", "size", "format"]
    )
    """What the figures are also given by: class, size (of the image's shorter side), format."""
    slice_columns: list[str] = Field(default_factory=list)
    """Columns of the manifest by whose values the figures are given as well."""

    @pydantic.model_validator(mode="after")
    def _has_a_rule(self) -> "EvaluationConfig":
        rules = (
            "min_top_1",
            "min_top_5",
            "max_top_1_drop",
            "min_worst_slice_top_1",
            "max_slice_top_1_drop",
        )
        if all(getattr(self, name) is None for name in rules):
            raise ValueError(f"a gate needs at least one rule: set one of {', '.join(rules)}")
        slice_rule = self.min_worst_slice_top_1 is not None or self.max_slice_top_1_drop is not None
        if slice_rule and not (self.slices or self.slice_columns):
            raise ValueError(
                "min_worst_slice_top_1 and max_slice_top_1_drop need something to slice by: name "
                "it in slices or slice_columns"
            )
        return self


class ServingConfig(Settings):
    """The checks of the exported model, and where it goes."""

    model_name: Name = "classifier"
    """Folder of the model under `serving/`, and its name in TensorFlow Serving."""
    push_dir: str = ""
    """Folder that gets `<model_name>/<version>/`; empty: `serving` in the output folder."""
    parity_tolerance: Float = Field(1e-3, gt=0)
    """Largest allowed difference of a probability between the served and the training path."""
    precision: Literal["float32", "float16", "bfloat16"] = "float32"
    """Another precision than float32 is exported too, beside the pushed model, and measured."""
    tflite: bool = False
    """Whether a TF-Lite model is exported too, beside the pushed model, and measured."""
    intended_use: str = ""
    """What the model is for, and what it is not for: stands in the model card."""
    license: str = ""
    """Licence of the model, as in apache-2.0: stands in the model card."""
    kserve: KServeConfig = KServeConfig()
    """Serving by KServe; see below."""

    @pydantic.model_validator(mode="after")
    def _kserve_finds_the_versions(self) -> "ServingConfig":
        is_bucket = self.push_dir.startswith(BUCKETS_OF_KSERVE)
        if self.kserve.enabled and not self.kserve.storage_uri and not is_bucket:
            raise ValueError(
                "kserve.storage_uri must be set, as in pvc://CLAIM/serving/digits for a push_dir "
                "on a volume: KServe does not see this machine's folders"
            )
        return self


class PipelineSection(Settings):
    """The run as a whole."""

    name: Name = "effnet"
    """Name of the pipeline in ML Metadata."""
    enable_cache: bool = True
    """Take the result of a node whose inputs, settings and code are unchanged from the cache."""
    no_cache: list[str] = Field(default_factory=list)
    """Names of nodes that run each time, as in [HorovodTrainer]."""
    metadata_uri: str = ""
    """sqlite://PATH, mysql://USER@HOST:PORT/DATABASE, postgresql://USER@HOST:PORT/DATABASE or
    grpc://HOST:PORT; empty: a SQLite file in the output folder. The password is best given in the
    environment variable EFFNET_METADATA_PASSWORD."""
    metadata_wait_secs: Float = Field(600.0, ge=0)
    """How long a run waits for an ML Metadata server that goes away, before it fails."""

    mlflow_uri: str = ""
    """MLflow server that gets each run, as in http://mlflow:5000 (needs the extra mlflow); empty:
    none. User and password are given in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."""

    @pydantic.field_validator("mlflow_uri")
    @classmethod
    def _is_a_server(cls, uri: str) -> str:
        if uri and not re.fullmatch(r"https?://[^\s/@]+(/[^\s@]*)?", uri):
            raise ValueError(
                "must be http://HOST:PORT or https://HOST:PORT, without user and password"
            )
        return uri

    @pydantic.field_validator("no_cache")
    @classmethod
    def _known_nodes(cls, names: list[str]) -> list[str]:
        for name in names:
            problem = node_names.problem(name)
            if problem:
                raise ValueError(f"must hold names of nodes; {problem}")
        return names

    @pydantic.field_validator("metadata_uri")
    @classmethod
    def _can_be_parsed(cls, uri: str) -> str:
        store_uri.parse(uri)
        return uri


class BeamConfig(Settings):
    """How the Beam stages run."""

    runner: str = "DirectRunner"
    """Beam runner of all data nodes."""
    num_workers: int = Field(0, ge=0)
    """Worker processes of the DirectRunner; 0: one per CPU core."""
    direct_running_mode: Literal["auto", "in_memory", "multi_processing"] = "auto"
    """auto: processes for many images, memory for few (processes take seconds to start)."""
    args: list[str] = Field(default_factory=list)
    """Further Beam pipeline options, as on Beam's command line."""


class PipelineConfig(Settings):
    """Everything that a run depends on."""

    data: DataConfig
    preprocessing: PictureOptions = PictureOptions()
    trainer: TrainConfig = TrainConfig()
    evaluation: EvaluationConfig
    serving: ServingConfig = ServingConfig()
    pipeline: PipelineSection = PipelineSection()
    beam: BeamConfig = BeamConfig()
    kubeflow: KubeflowConfig = KubeflowConfig()

    @pydantic.model_validator(mode="after")
    def _trainer_can_be_honoured(self) -> "PipelineConfig":
        for key, instead in NOT_IN_A_RUN.items():
            if getattr(self.trainer, key) != TrainConfig.model_fields[key].default:
                raise ValueError(
                    f"trainer.{key} is set by the pipeline, so remove it from the config: {instead}"
                    f". Received: {in_yaml(getattr(self.trainer, key))}"
                )
        return self
