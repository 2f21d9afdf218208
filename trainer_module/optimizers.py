"""Optimizers on flat vectors, each the fused kernel that TensorFlow has for it.

Moments live beside the vector that they belong to. Weight decay touches only the kernels: an L2
term of the gradient for rmsprop, sgd and adam, decoupled for adamw (arXiv 1711.05101) and lamb
(arXiv 1904.00962).

Why not Keras's optimizers: they update each tensor of a model by itself, in several operations. On
the weights of EfficientNetV2-S they take three times as long (rmsprop 43.8 ms an update against
14.2 ms, adamw 41.6 against 13.9, on 2 cores; benchmarks/optimizer_update.py).
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from trainer_module.config import TrainConfig
from trainer_module.network.flat_vector import Layout


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A vector of weights with its moments.

    Attributes:
      value: float32 [size].
      slots: the optimizer's moments, float32 [size] each.
      layout: which tensors stand in the vector.
      decays: whether weight decay applies.
    """

    value: tf.Variable
    slots: tuple[tf.Variable, ...]
    layout: Layout
    decays: bool


# (parameter, gradient [size], learning rate [], number of the update from 1 [])
Update = Callable[[Parameter, tf.Tensor, tf.Tensor, tf.Tensor], None]


def num_slots(config: TrainConfig) -> int:
    """How many moments the optimizer keeps for each weight."""
    return 1 if config.optimizer == "sgd" else 2


def l2_gradient(config: TrainConfig, parameter: Parameter, gradient: tf.Tensor) -> tf.Tensor:
    """The gradient with that of the L2 term, for the optimizers whose decay is one."""
    coupled = config.optimizer in ("rmsprop", "sgd", "adam")
    if not (coupled and parameter.decays and config.weight_decay):
        return gradient
    return gradient + config.weight_decay * parameter.value


def make_update(config: TrainConfig) -> Update:
    """The update rule of `config.optimizer`."""
    rules = {"rmsprop": _rmsprop, "sgd": _sgd, "adam": _adam, "adamw": _adamw, "lamb": _lamb}
    rule = rules[config.optimizer]

    def update(
        parameter: Parameter, gradient: tf.Tensor, learning_rate: tf.Tensor, count: tf.Tensor
    ) -> None:
        rule(config, parameter, gradient, learning_rate, count)

    return update


def _rmsprop(config, parameter, gradient, learning_rate, count) -> None:
    mean_square, momentum = parameter.slots
    tf.raw_ops.ResourceApplyRMSProp(
        var=parameter.value.handle,
        ms=mean_square.handle,
        mom=momentum.handle,
        lr=learning_rate,
        rho=config.decay,
        momentum=config.momentum,
        epsilon=config.opt_epsilon,
        grad=gradient,
    )


def _sgd(config, parameter, gradient, learning_rate, count) -> None:
    tf.raw_ops.ResourceApplyMomentum(
        var=parameter.value.handle,
        accum=parameter.slots[0].handle,
        lr=learning_rate,
        grad=gradient,
        momentum=config.momentum,
    )


def _adam(config, parameter, gradient, learning_rate, count) -> None:
    count = tf.cast(count, tf.float32)
    tf.raw_ops.ResourceApplyAdam(
        var=parameter.value.handle,
        m=parameter.slots[0].handle,
        v=parameter.slots[1].handle,
        beta1_power=tf.pow(config.momentum, count),
        beta2_power=tf.pow(config.decay, count),
        lr=learning_rate,
        beta1=config.momentum,
        beta2=config.decay,
        epsilon=config.opt_epsilon,
        grad=gradient,
    )


def _adamw(config, parameter, gradient, learning_rate, count) -> None:
    if parameter.decays and config.weight_decay:
        value = parameter.value
        tf.raw_ops.ResourceApplyGradientDescent(
            var=value.handle, alpha=learning_rate * config.weight_decay, delta=value.read_value()
        )
    _adam(config, parameter, gradient, learning_rate, count)


def _lamb(config, parameter, gradient, learning_rate, count) -> None:
    count = tf.cast(count, tf.float32)
    first, second = parameter.slots
    first.assign(config.momentum * first + (1 - config.momentum) * gradient)
    second.assign(config.decay * second + (1 - config.decay) * tf.square(gradient))
    corrected = first / (1 - tf.pow(config.momentum, count))
    scale = tf.sqrt(second / (1 - tf.pow(config.decay, count))) + config.opt_epsilon
    step = corrected / scale
    if parameter.decays:
        step += config.weight_decay * parameter.value
        step *= _trust_ratios(parameter, step)
    parameter.value.assign_sub(learning_rate * step)


def _trust_ratios(parameter: Parameter, step: tf.Tensor) -> tf.Tensor:
    """|weights| / |step| of each tensor, repeated over its elements; 1 where either is 0."""
    weights, steps = parameter.layout.split(parameter.value), parameter.layout.split(step)
    weight_norms = tf.stack([tf.norm(tensor) for tensor in weights.values()])
    step_norms = tf.stack([tf.norm(tensor) for tensor in steps.values()])
    usable = tf.logical_and(weight_norms > 0, step_norms > 0)
    ratios = tf.where(usable, tf.math.divide_no_nan(weight_norms, step_norms), 1.0)
    sizes = [tf.size(tensor) for tensor in weights.values()]
    return tf.repeat(ratios, sizes)
