"""The settings around the recipe: hardware, checkpoints and evaluation, the job itself.

Parts of `trainer_module.config.TrainConfig`, which is flat on the outside.
"""

from typing import Literal

from pydantic import Field

from preprocessing.settings import Float, Settings
from trainer_module.effects import Job, Output, Position


class HardwareSettings(Settings):
    """Hardware."""

    num_processes: Position[int] = Field(1, ge=1)
    """Processes (ranks) of the Horovod job; 1 needs no Horovod."""
    train_batch_size: Position[int] = Field(32, ge=1)
    """Images per process and step."""
    grad_accum_steps: Position[int] = Field(1, ge=1)
    """Micro-batches that a training batch is cut into; it must divide `train_batch_size`."""
    eval_batch_size: Job[int] = Field(64, ge=1)
    """Images per process and evaluation step."""
    use_amp: bool = False
    """Mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU."""
    use_xla: bool = False
    """Compile the step with XLA. Pays on a GPU; on a CPU it is slower."""
    use_tf32: bool = True
    """Multiply float32 matrices as TensorFloat-32 on GPUs that can."""
    data_format: Literal["auto", "channels_last", "channels_first"] = "auto"
    """How activations lie in memory. auto: channels_last, which CPUs and tensor cores want;
    channels_first on a GPU that computes in plain float32."""
    hvd_fp16_compression: bool = False
    """Gradients cross the network as float16."""
    memory_limit_mb: Job[int] = Field(0, ge=0)
    """Megabytes (2^20 bytes) that a process may take, of its GPU where it has one, else of data
    in main memory; 0 is no limit."""
    preflight: Job[Literal["auto", "always", "never"]] = "auto"
    """Whether a step of the largest stage is tried before the training, and micro-batches are made
    smaller until it fits in memory; `auto` tries on a GPU and where there is a memory limit."""


class OutputSettings(Settings):
    """Checkpoints, evaluation and export."""

    save_checkpoint_freq: Job[int] = Field(1, ge=1)
    """Epochs between two checkpoints."""
    max_checkpoints: Job[int] = Field(3, ge=1)
    """Newest checkpoints that are kept."""
    eval_freq: Output[int] = Field(1, ge=1)
    """Epochs between two evaluations; after the last epoch there always is one."""
    eval_img_size: Output[int] = Field(384, ge=8, le=4096)
    """Image side in pixels in evaluation and in the exported model."""
    early_stopping_epochs: Output[int] = Field(0, ge=0)
    """Training ends when top-1 has not risen for so many epochs, and the best weights are
    exported; 0 trains to the end and exports the last."""
    background: Output[str] = Field("#ffffff", pattern="^#[0-9a-f]{6}$")
    """Colour, `#rrggbb`, that the exported model puts behind the transparent parts of a picture."""
    gray16: Output[Literal["as_is", "stretch"]] = "as_is"
    """What the exported model does with 16-bit grey PNG. as_is: the high byte counts. stretch: the
    0.5th percentile of a picture's values becomes black and the 99.5th white."""
    max_pixels: Output[int] = Field(100_000_000, ge=1)
    """The exported model does not decode a picture whose header says more pixels than this."""
    max_side_px: Output[int] = Field(0, ge=0)
    """The exported model first shrinks a picture whose shorter side is longer to so many pixels,
    as the preprocessing did with the records; 0 leaves this out."""
    export_precision: Output[Literal["float32", "float16", "bfloat16"]] = "float32"
    """Another precision than float32 is exported too, beside the float32 model, and measured."""
    export_tflite: Output[bool] = False
    """Whether a TF-Lite model is exported too, beside the SavedModel, and measured."""


class LaunchSettings(Settings):
    """Where the ranks run."""

    launcher: Job[Literal["local", "mpijob"]] = "local"
    """What starts a training in a pipeline: local: the node itself; mpijob: an MPIJob on a
    Kubernetes cluster, from a run of `effnet compile`."""
    hostfile: Job[str] = ""
    """File with the machines that ranks are started on with ssh, a line `HOST slots=N` each, where
    code, `data_dir` and `model_dir` have the same paths; empty: this machine."""


class JobSettings(Settings):
    """Job."""

    mode: Job[
        Literal[
            "train",
            "eval",
            "train_and_eval",
            "predict",
            "training_benchmark",
            "inference_benchmark",
        ]
    ] = "train_and_eval"
    """What to do: train, evaluate the newest checkpoint in `model_dir`, or both; predict the
    evaluation split with it (`predictions.jsonl`); or measure the speed (`benchmark.json`)."""
    model_dir: Job[str] = ""
    """Folder of the training: checkpoints, export, logs. Used again, the training goes on."""
    benchmark_steps: Job[int] = Field(20, ge=1)
    """Steps that the benchmark modes measure, of each stage."""
    log_interval_secs: Job[Float] = Field(5.0, gt=0)
    """Seconds between two lines of the training log."""
    stall_timeout_secs: Job[Float] = Field(600.0, gt=0)
    """Seconds without a step, or without a sign of life of a rank, after which the job is ended
    and started again. Start-up, a stage's first step, evaluation and export may take longer."""
    max_restarts: Job[int] = Field(2, ge=0)
    """How often ranks that died or hang are started again from the last checkpoint."""
    restart_on_code_change: Job[bool] = False
    """Whether a training begins anew where its checkpoint was made with other code; else it goes
    on, and says which steps ran under which code."""
