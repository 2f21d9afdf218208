"""Names in ML Metadata that are written down twice, for readers that do without TFX."""

from tfx.dsl.compiler import constants

from pipeline.mlmd import names


def test_types_of_contexts_are_those_of_tfx():
    assert names.PIPELINE_CONTEXT == constants.PIPELINE_CONTEXT_TYPE_NAME
    assert names.RUN_CONTEXT == constants.PIPELINE_RUN_CONTEXT_TYPE_NAME
    assert names.NODE_CONTEXT == constants.NODE_CONTEXT_TYPE_NAME
