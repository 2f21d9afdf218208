"""The training state and one step of it."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from preprocessing import features
from trainer_module import optimizers, top_k
from trainer_module.config import TrainConfig
from trainer_module.distributed import Ranks
from trainer_module.network.model import Network
from trainer_module.optimizers import Parameter
from trainer_module.seeds import in_31_bits

# Dynamic loss scaling of float16 (arXiv 1710.03740, section 3.2).
INITIAL_LOSS_SCALE = 2.0**15
LOSS_SCALE_GROWTH_STEPS = 2000
# Set apart from the seeds of the input pipeline.
_STEP_SEED = 0x73746570


class TrainState:
    """Everything that a step changes, and so everything that a checkpoint holds.

    Attributes:
      parameters: kernels and vectors, with the optimizer's moments.
      statistics: BatchNorm's moving averages, float32 [size].
      averages: moving averages of kernels, vectors and statistics; empty without EMA.
      step: int64 [], steps that were taken, with the skipped ones.
      updates: int64 [], steps that changed the weights.
      loss_scale: float32 [], 1 unless computing in float16.
      good_steps: int64 [], steps since the loss scale changed.
      best_top_1, best_top_5: float64 [], the best evaluation so far, -1 before the first.
      best_step: int64 [], the step of the best evaluation, 0 before the first.
    """

    def __init__(self, network: Network, config: TrainConfig, weights: Mapping[str, np.ndarray]):
        """Starts at `weights`, by name."""

        def parameter(layout, name: str, decays: bool) -> Parameter:
            return Parameter(
                value=tf.Variable(layout.join_arrays(weights), name=name),
                slots=tuple(
                    tf.Variable(np.zeros(layout.size, np.float32), name=f"{name}_slot_{slot}")
                    for slot in range(optimizers.num_slots(config))
                ),
                layout=layout,
                decays=decays,
            )

        self.parameters = (
            parameter(network.kernels, "kernels", True),
            parameter(network.vectors, "vectors", False),
        )
        self.statistics = tf.Variable(network.statistics.join_arrays(weights), name="statistics")
        self.averages = (
            tuple(
                tf.Variable(variable.numpy(), name=f"{_name(variable)}_ema")
                for variable in self.model_variables()
            )
            if config.moving_average_decay
            else ()
        )
        scale = INITIAL_LOSS_SCALE if compute_dtype(config) == tf.float16 else 1.0
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        self.updates = tf.Variable(0, dtype=tf.int64, name="updates")
        self.loss_scale = tf.Variable(scale, dtype=tf.float32, name="loss_scale")
        self.good_steps = tf.Variable(0, dtype=tf.int64, name="good_steps")
        # As exact as evaluations are: a rounded one would seem to be beaten by its like.
        self.best_top_1 = tf.Variable(-1.0, dtype=tf.float64, name="best_top_1")
        self.best_top_5 = tf.Variable(-1.0, dtype=tf.float64, name="best_top_5")
        self.best_step = tf.Variable(0, dtype=tf.int64, name="best_step")

    def model_variables(self) -> tuple[tf.Variable, ...]:
        """Kernels, vectors and statistics."""
        return (*(parameter.value for parameter in self.parameters), self.statistics)

    def weight_sets(self) -> dict[str, tuple[tf.Variable, ...]]:
        """What may be evaluated and exported: `raw` weights, and `ema` if there is one.

        Each is (kernels, vectors, statistics).
        """
        averages = {"ema": self.averages} if self.averages else {}
        return {"raw": self.model_variables(), **averages}

    def variables(self) -> dict[str, tf.Variable]:
        """All variables by name."""
        slots = [slot for parameter in self.parameters for slot in parameter.slots]
        counters = [self.step, self.updates, self.loss_scale, self.good_steps]
        counters += [self.best_top_1, self.best_top_5, self.best_step]
        every = [*self.model_variables(), *self.averages, *slots, *counters]
        named = {_name(variable): variable for variable in every}
        if len(named) != len(every):
            raise ValueError(f"variables must have different names. Received: {sorted(named)}")
        return named


def _name(variable: tf.Variable) -> str:
    return variable.name.split(":")[0]


def compute_dtype(config: TrainConfig) -> tf.DType:
    """What convolutions compute in: float32, or with `use_amp` what the hardware is fast at."""
    if not config.use_amp:
        return tf.float32
    return tf.float16 if tf.config.list_physical_devices("GPU") else tf.bfloat16


def make_train_step(
    network: Network, config: TrainConfig, state: TrainState, ranks: Ranks
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """The function of one step.

    Returns:
      a `tf.function` of (images uint8 [B, H, W, 3], targets float32 [B, classes], learning rate
      float32 [], stop float32 []: 1 where this rank was asked to stop) that updates `state` and
      returns float32 [4], the same on all ranks: the mean loss over the ranks' batches, their
      share of right answers, the share of ranks that were asked to stop, and 1 where the step
      was skipped because a gradient was not finite.
      Free spatial sizes: a new image size is no new trace.
    """
    kernels, vectors = (parameter.value for parameter in state.parameters)
    dtype, micro_batches = compute_dtype(config), config.grad_accum_steps
    update = optimizers.make_update(config)
    synchronise = ranks.mean_tensor if config.batch_norm == "syncbn" and ranks.size > 1 else None

    def micro_step(images, targets, seed):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch((kernels, vectors))
            weights = {
                **network.kernels.split(tf.cast(kernels, dtype)),
                **network.vectors.split(vectors.read_value()),
            }
            logits, statistics = network.train_logits(
                weights, images, config.dropout_rate, config.survival_prob, seed, synchronise
            )
            smoothing = config.label_smoothing
            smooth = targets * (1.0 - smoothing) + smoothing / targets.shape[-1]
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(smooth, logits))
            scaled = loss * state.loss_scale
        gradients = tape.gradient(scaled, (kernels, vectors))
        right = top_k.label_rank_tensor(logits, tf.argmax(targets, -1)) < 1
        metrics = tf.stack([loss, tf.reduce_mean(tf.cast(right, tf.float32))])
        return (*gradients, statistics, metrics)

    def local_step(images, targets):
        number = tf.cast(state.step, tf.int32) * ranks.size + ranks.rank
        seed = tf.random.fold_in(tf.constant([in_31_bits(config.seed), _STEP_SEED]), number)
        if micro_batches == 1:
            return micro_step(images, targets, seed)
        # A loop in the graph: one micro-batch's activations are alive at a time.
        size = config.train_batch_size // micro_batches
        shape = tf.shape(images)
        images = tf.reshape(images, [micro_batches, size, shape[1], shape[2], features.CHANNELS])
        targets = tf.reshape(targets, [micro_batches, size, targets.shape[1]])

        def body(number, *sums):
            part = micro_step(
                tf.gather(images, number),
                tf.gather(targets, number),
                tf.random.fold_in(seed, number),
            )
            return number + 1, *(total + value for total, value in zip(sums, part, strict=True))

        zeros = [tf.zeros_like(v) for v in (kernels, vectors, state.statistics)] + [tf.zeros([2])]
        _, *sums = tf.while_loop(
            lambda number, *_: number < micro_batches,
            body,
            (tf.constant(0), *zeros),
            maximum_iterations=micro_batches,
            parallel_iterations=1,
        )
        return tuple(total / micro_batches for total in sums)

    def apply(gradients, statistics, learning_rate):
        gradients = [
            optimizers.l2_gradient(config, parameter, gradient / state.loss_scale)
            for parameter, gradient in zip(state.parameters, gradients, strict=True)
        ]
        norm = tf.linalg.global_norm(gradients)
        finite = tf.math.is_finite(norm)
        if config.clip_norm:
            factor = tf.minimum(1.0, config.clip_norm / tf.maximum(norm, 1e-12))
            gradients = [gradient * factor for gradient in gradients]
        tf.cond(
            finite,
            lambda: _apply_finite(config, state, update, gradients, statistics, learning_rate),
            lambda: tf.constant(0),
        )
        _update_loss_scale(state, finite, dtype)
        state.step.assign_add(1)
        return 1.0 - tf.cast(finite, tf.float32)

    # The allreduce stays outside of what XLA compiles.
    local_step = tf.function(local_step, jit_compile=config.use_xla, autograph=False)
    apply = tf.function(apply, jit_compile=config.use_xla, autograph=False)

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([config.train_batch_size, None, None, 3], tf.uint8),
            tf.TensorSpec([config.train_batch_size, network.architecture.num_classes]),
            tf.TensorSpec([]),
            tf.TensorSpec([]),
        ],
    )
    def train_step(images, targets, learning_rate, stop):
        *gradients, statistics, metrics = local_step(images, targets)
        rest = tf.concat([statistics, metrics, [stop]], axis=0)
        gradients, rest = ranks.mean(gradients, rest)
        statistics, metrics = tf.split(rest, [network.statistics.size, 3])
        skipped = apply(gradients, statistics, learning_rate)
        return tf.concat([metrics, [skipped]], axis=0)

    return train_step


def _apply_finite(config, state, update, gradients, statistics, learning_rate) -> tf.Tensor:
    count = state.updates.assign_add(1)
    for parameter, gradient in zip(state.parameters, gradients, strict=True):
        update(parameter, gradient, learning_rate, count)
    share = 1.0 - config.bn_momentum
    _move_towards(state.statistics, statistics, tf.constant(share))
    if state.averages:
        # As in tf.train.ExponentialMovingAverage: early on, recent weights count for more.
        count = tf.cast(count, tf.float32)
        decay = tf.minimum(config.moving_average_decay, (1.0 + count) / (10.0 + count))
        for average, variable in zip(state.averages, state.model_variables(), strict=True):
            _move_towards(average, variable.read_value(), 1.0 - decay)
    return tf.constant(0)


def _move_towards(average: tf.Variable, value: tf.Tensor, share: tf.Tensor) -> None:
    tf.raw_ops.ResourceApplyGradientDescent(
        var=average.handle, alpha=share, delta=average.read_value() - value
    )


def _update_loss_scale(state: TrainState, finite: tf.Tensor, dtype: tf.DType) -> None:
    if dtype != tf.float16:
        return
    grown = tf.logical_and(finite, state.good_steps + 1 >= LOSS_SCALE_GROWTH_STEPS)
    state.good_steps.assign(
        tf.where(tf.logical_and(finite, tf.logical_not(grown)), state.good_steps + 1, 0)
    )
    factor = tf.where(finite, tf.where(grown, 2.0, 1.0), 0.5)
    state.loss_scale.assign(tf.maximum(state.loss_scale * factor, 1.0))
