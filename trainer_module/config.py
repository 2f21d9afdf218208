"""The training configuration: declared once, as YAML, flags, exec property and log.

The names up to `seed` are those of the published EfficientNetV2 recipe. The values that are
defaults here are that recipe's, for one process; what costs hardware (`use_amp`, `use_xla`) is
off by default.
"""

from typing import Literal

import pydantic
from pydantic import Field

from preprocessing.settings import Float, Settings

ARCHITECTURES = ("efficientnetv2-b0", "efficientnetv2-s", "efficientnetv2-m", "efficientnetv2-l")


class TrainConfig(Settings):
    """Settings of one training."""

    mode: Literal[
        "train", "eval", "train_and_eval", "predict", "training_benchmark", "inference_benchmark"
    ] = "train_and_eval"
    """What to do: train, evaluate the newest checkpoint in `model_dir`, or both; predict the
    evaluation split with it (`predictions.jsonl`); or measure the speed (`benchmark.json`)."""
    benchmark_steps: int = Field(20, ge=1)
    """Steps that the benchmark modes measure, of each stage."""
    data_dir: str = ""
    """Folder with the records: `train-*` and `eval-*` (or `validation-*`), and `labels.txt`."""
    model_dir: str = ""
    """Folder of the training: checkpoints, export, logs. Used again, the training goes on."""
    num_classes: int = Field(0, ge=0)
    """Number of classes where `data_dir` has no `labels.txt`; 0 takes the names from there."""
    label_offset: int = Field(0, ge=0)
    """Label of the first class in the records; 1 for the classic ImageNet TFRecords."""

    init_weights: str = ""
    """Weights to start from: a `.weights.h5` or `.keras` file of keras.applications, or the
    `model.weights.h5` of an earlier training. A head of another size is replaced."""

    arch: Literal[ARCHITECTURES] = "efficientnetv2-s"
    """Architecture, by its table in the paper."""
    width_coefficient: Float = Field(1.0, gt=0, le=4)
    """Factor on the number of channels."""
    depth_coefficient: Float = Field(1.0, gt=0, le=4)
    """Factor on the number of blocks of a stage."""
    dropout_rate: Float = Field(0.2, ge=0, lt=1)
    """Dropout before the classifier."""
    survival_prob: Float = Field(0.8, gt=0, le=1)
    """Probability that the last block is kept in stochastic depth; linear from 1 in the first."""
    data_format: Literal["auto", "channels_last", "channels_first"] = "auto"
    """How activations lie in memory. auto: channels_last, which CPUs and tensor cores want;
    channels_first on a GPU that computes in plain float32."""
    batch_norm: Literal["bn", "syncbn"] = "bn"
    """BatchNorm over a rank's own micro-batch, or (syncbn) over those of all ranks."""
    bn_momentum: Float = Field(0.99, ge=0, lt=1)
    """Momentum of BatchNorm's moving averages. 0.9 for runs of few hundred steps, whose averages
    would otherwise lag behind."""

    n_stages: int = Field(1, ge=1)
    """Stages of the schedule; the epochs are divided evenly."""
    stage_schedule: Literal["linear", "published"] = "linear"
    """Image sides of the stages. linear: from `base_img_size` in the first to `img_size` in the
    last. published: as the published code has them, from one `n_stages`-th of the way on."""
    base_img_size: int = Field(128, ge=8, le=4096)
    """Image side in pixels in the first stage (with `n_stages` 1: no effect)."""
    img_size: int = Field(300, ge=8, le=4096)
    """Image side in pixels in the last stage."""
    eval_img_size: int = Field(384, ge=8, le=4096)
    """Image side in pixels in evaluation and in the exported model."""
    background: str = Field("#ffffff", pattern="^#[0-9a-f]{6}$")
    """Colour, `#rrggbb`, that the exported model puts behind the transparent parts of a picture."""
    max_side_px: int = Field(0, ge=0)
    """The exported model first shrinks a picture whose shorter side is longer to so many pixels,
    as the preprocessing did with the records; 0 leaves this out."""
    gray16: Literal["as_is", "stretch"] = "as_is"
    """What the exported model does with 16-bit grey PNG. as_is: the high byte counts. stretch: the
    0.5th percentile of a picture's values becomes black and the 99.5th white."""
    max_pixels: int = Field(100_000_000, ge=1)
    """The exported model does not decode a picture whose header says more pixels than this."""
    export_precision: Literal["float32", "float16", "bfloat16"] = "float32"
    """Another precision than float32 is exported too, beside the float32 model, and measured."""
    export_tflite: bool = False
    """Whether a TF-Lite model is exported too, beside the SavedModel, and measured."""
    base_mixup: Float = Field(0.0, ge=0)
    """Mixup's alpha in the first stage; 0 is off."""
    mixup_alpha: Float = Field(0.0, ge=0)
    """Mixup's alpha in the last stage."""
    base_cutmix: Float = Field(0.0, ge=0)
    """CutMix's alpha in the first stage; 0 is off."""
    cutmix_alpha: Float = Field(0.0, ge=0)
    """CutMix's alpha in the last stage."""
    augmenter_name: Literal["randaugment", "autoaugment"] = "randaugment"
    """RandAugment with the settings below, or AutoAugment's ImageNet policy, which has none."""
    base_randaug_mag: Float = Field(5.0, ge=0, le=30)
    """RandAugment's magnitude in the first stage."""
    raug_magnitude: Float = Field(0.0, ge=0, le=30)
    """RandAugment's magnitude in the last stage; 0 turns RandAugment off in all of them."""
    raug_num_layers: int = Field(2, ge=1, le=8)
    """RandAugment's operations an image."""
    random_flip: bool = True
    """Mirror half of the training images. Off for pictures whose sides mean something."""
    crop_min_area: Float = Field(0.08, gt=0, le=1)
    """Smallest share of the area that a random crop keeps; 1 takes whole images."""

    max_epochs: int = Field(350, ge=1)
    """Epochs of the whole training, over all stages."""
    train_batch_size: int = Field(32, ge=1)
    """Images a process and step."""
    eval_batch_size: int = Field(64, ge=1)
    """Images a process and evaluation step."""
    grad_accum_steps: int = Field(1, ge=1)
    """Micro-batches that a training batch is cut into; it must divide `train_batch_size`."""
    optimizer: Literal["rmsprop", "sgd", "adam", "adamw", "lamb"] = "rmsprop"
    """Optimizer."""
    lr_init: Float = Field(0.005, gt=0)
    """Learning rate at a global batch of 128; it is multiplied with global batch / 128."""
    lr_decay: Literal["cosine", "exponential", "piecewise", "constant"] = "cosine"
    """Shape of the learning rate after the warm-up."""
    lr_warmup_epochs: Float = Field(
        default_factory=lambda values: min(5.0, values["max_epochs"] / 5), ge=0
    )
    """Epochs over which the learning rate rises linearly from 0. Where it is not given: 5, or a
    fifth of `max_epochs` where that is less."""
    opt_epsilon: Float = Field(1e-3, gt=0)
    """Epsilon of rmsprop, adam, adamw and lamb."""
    momentum: Float = Field(0.9, ge=0, lt=1)
    """Momentum of rmsprop and sgd; beta_1 of the others."""
    decay: Float = Field(0.9, ge=0, lt=1)
    """Decay of rmsprop's mean square; beta_2 of adam, adamw and lamb."""
    weight_decay: Float = Field(5e-6, ge=0)
    """Weight decay; BatchNorm and biases have none. An L2 loss for rmsprop, sgd and adam;
    decoupled for adamw and lamb."""
    label_smoothing: Float = Field(0.1, ge=0, lt=1)
    """Label smoothing."""
    clip_norm: Float = Field(0.0, ge=0)
    """Gradients with a larger global norm are scaled down to it; 0 is off."""
    moving_average_decay: Float = Field(0.9999, ge=0, lt=1)
    """Decay of the moving average of the weights (EMA); 0 is off."""

    use_amp: bool = False
    """Mixed precision: float16 with loss scaling on a GPU, bfloat16 on a CPU."""
    use_xla: bool = False
    """Compile the step with XLA. Pays on a GPU; on a CPU it is slower."""
    use_tf32: bool = True
    """Multiply float32 matrices as TensorFloat-32 on GPUs that can."""
    hvd_fp16_compression: bool = False
    """Gradients cross the network as float16."""
    num_processes: int = Field(1, ge=1)
    """Processes (ranks) of the Horovod job; 1 needs no Horovod."""
    save_checkpoint_freq: int = Field(1, ge=1)
    """Epochs between two checkpoints."""
    max_checkpoints: int = Field(3, ge=1)
    """Newest checkpoints that are kept."""
    eval_freq: int = Field(1, ge=1)
    """Epochs between two evaluations; after the last epoch there always is one."""
    early_stopping_epochs: int = Field(0, ge=0)
    """Training ends when top-1 has not risen for so many epochs, and the best weights are
    exported; 0 trains to the end and exports the last."""
    log_interval_secs: Float = Field(5.0, gt=0)
    """Seconds between two lines of the training log."""
    seed: int = Field(0, ge=0)
    """Seed of everything random."""

    stall_timeout_secs: Float = Field(600.0, gt=0)
    """Seconds without a step, or without a sign of life of a rank, after which the job is ended
    and started again. Start-up, a stage's first step, evaluation and export may take longer."""
    max_restarts: int = Field(2, ge=0)
    """How often ranks that died or hang are started again from the last checkpoint."""
    preflight: Literal["auto", "always", "never"] = "auto"
    """Whether a step of the largest stage is tried before the training, and micro-batches are made
    smaller until it fits in memory; `auto` tries on a GPU and where there is a memory limit."""
    memory_limit_mb: int = Field(0, ge=0)
    """Megabytes (2^20 bytes) that a process may take, of its GPU where it has one, else of data
    in main memory; 0 is no limit."""

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "TrainConfig":
        if self.train_batch_size % self.grad_accum_steps:
            raise ValueError(
                "grad_accum_steps must divide train_batch_size. "
                f"Received: {self.grad_accum_steps} and {self.train_batch_size}"
            )
        if self.batch_norm == "syncbn" and self.use_xla and self.num_processes > 1:
            raise ValueError(
                "batch_norm 'syncbn' talks to the other ranks inside the step, which use_xla "
                "compiles: set one of them off. Received: batch_norm='syncbn', use_xla=True"
            )
        if self.n_stages > self.max_epochs:
            raise ValueError(
                "n_stages must not exceed max_epochs: a stage has at least one epoch. "
                f"Received: {self.n_stages} and {self.max_epochs}"
            )
        if self.lr_warmup_epochs > self.max_epochs:
            raise ValueError(
                "lr_warmup_epochs must not exceed max_epochs. "
                f"Received: {self.lr_warmup_epochs} and {self.max_epochs}"
            )
        return self
