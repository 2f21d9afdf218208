"""What is measured, and what a model must reach, from the config section `evaluation`."""

import tensorflow_model_analysis as tfma

from components.evaluator import image_metrics, outcomes
from components.evaluator.rules import Rules
from pipeline.config import EvaluationConfig
from preprocessing import features
from trainer_module.serving import signatures

SLICE_FEATURES = {
    "class": features.CLASS_TEXT,
    "size": outcomes.SIZE_BUCKET,
    "format": features.FORMAT,
}


def eval_config(config: EvaluationConfig) -> tfma.EvalConfig:
    """What TFMA measures: one metric over all slices, for the exported model.

    It holds no thresholds: TFMA's know neither intervals, nor pairs, nor the worst slice.
    """
    keys = [SLICE_FEATURES[name] for name in config.slices]
    keys += [features.COLUMN_PREFIX + name for name in config.slice_columns]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name=signatures.SERVING_EXAMPLES,
                preprocessing_function_names=[signatures.EVAL_LABELS],
                label_key=signatures.LABEL_INDEX,
            )
        ],
        slicing_specs=[
            tfma.SlicingSpec(),
            *(tfma.SlicingSpec(feature_keys=[key]) for key in keys),
        ],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(
                        class_name=image_metrics.ImageClassification.__name__,
                        module=image_metrics.__name__,
                    )
                ]
            )
        ],
    )


def rules(config: EvaluationConfig) -> Rules:
    """The rules of the gate."""
    return Rules(
        **config.model_dump(exclude={"slices", "slice_columns"}),
        columns=tuple(features.COLUMN_PREFIX + name for name in config.slice_columns),
    )
