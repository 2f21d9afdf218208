"""What is measured and what a model must reach, as TFMA's EvalConfig."""

import json

import tensorflow_model_analysis as tfma

from components.evaluator import metric_names
from pipeline.config import EvaluationConfig
from trainer_module import signatures

# Accuracies are ratios computed in float32; a bound that is met exactly must count as met.
TOLERANCE = 1e-6


def eval_config(config: EvaluationConfig) -> tfma.EvalConfig:
    """The EvalConfig of the gate.

    A rule about the served model (`max_top_1_drop`) is a change threshold, which TFMA leaves
    out where there is no baseline. top-1 always has a lower bound, if only 0: with no bound at
    all TFX would not validate, and the first model of a config that has just a change rule
    could never be blessed.
    """
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name=signatures.SERVING_EXAMPLES,
                preprocessing_function_names=[signatures.EVAL_LABELS],
                label_key=signatures.LABEL_INDEX,
                prediction_key=signatures.PROBABILITIES,
            )
        ],
        slicing_specs=[
            tfma.SlicingSpec(),
            *(tfma.SlicingSpec(feature_keys=[key]) for key in config.slices),
        ],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(class_name="ExampleCount"),
                    _accuracy(
                        metric_names.TOP_1,
                        "SparseCategoricalAccuracy",
                        minimum=config.min_top_1 or 0.0,
                        max_drop=config.max_top_1_drop,
                    ),
                    _accuracy(
                        metric_names.TOP_5,
                        "SparseTopKCategoricalAccuracy",
                        minimum=config.min_top_5,
                        k=5,
                    ),
                    tfma.MetricConfig(class_name="MultiClassConfusionMatrixPlot"),
                ]
            )
        ],
    )


def _accuracy(
    name: str,
    class_name: str,
    minimum: float | None = None,
    max_drop: float | None = None,
    **settings: object,
) -> tfma.MetricConfig:
    threshold = tfma.MetricThreshold()
    if minimum is not None:
        threshold.value_threshold.lower_bound.value = minimum - TOLERANCE
    if max_drop is not None:
        threshold.change_threshold.direction = tfma.MetricDirection.HIGHER_IS_BETTER
        threshold.change_threshold.absolute.value = -max_drop - TOLERANCE
    metric = tfma.MetricConfig(class_name=class_name, config=json.dumps({"name": name, **settings}))
    if threshold.ByteSize():
        # A metric's plain `threshold` would be applied to every slice as well.
        metric.per_slice_thresholds.add(slicing_specs=[tfma.SlicingSpec()], threshold=threshold)
    return metric
