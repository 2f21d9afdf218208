"""The transform graph: sorted names, whatever their frequencies, and -1 for others."""

import json

import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_metadata.proto.v0 import schema_pb2

from preprocessing import features, transform
from preprocessing.errors import InputError


@pytest.fixture
def write_index(tmp_path):
    def write(*classes_by_file):
        paths = []
        for number, classes in enumerate(classes_by_file):
            path = tmp_path / f"index-{number}.jsonl"
            path.write_text("".join(json.dumps({"class": name}) + "\n" for name in classes))
            paths.append(str(path))
        return paths

    return write


def write_graph(index, tmp_path, make_pipeline, schema=None):
    return transform.write_transform_graph(
        index,
        str(tmp_path / "graph"),
        make_pipeline=make_pipeline(),
        temp_dir=str(tmp_path / "temp"),
        schema=schema,
    )


def test_labels_follow_the_sorted_names(write_index, tmp_path, make_pipeline):
    index = write_index(["zebra", "", "öküz", "zebra"], [], ["Ant eater", "zebra", "ant"])
    schema = schema_pb2.Schema()
    schema.string_domain.add(name="classes", value=["zebra", "ant"])
    feature = schema.feature.add(name=features.CLASS_TEXT, type=schema_pb2.BYTES, domain="classes")
    feature.shape.dim.add(size=1)
    names = write_graph(index, tmp_path, make_pipeline, schema)
    assert names == ["Ant eater", "ant", "zebra", "öküz"]
    graph = tft.TFTransformOutput(str(tmp_path / "graph"))
    text = tf.constant(["öküz", "zebra", "ant", "Ant eater", "cow", ""])
    labels = graph.transform_raw_features({features.CLASS_TEXT: text})[features.LABEL]
    assert labels.dtype == tf.int64
    assert labels.numpy().tolist() == [3, 2, 1, 0, -1, -1]
    assert graph.vocabulary_size_by_name(features.CLASS_VOCABULARY) == 4
    assert graph.raw_metadata.schema.string_domain[0].name == "classes"


def test_one_class_is_refused(write_index, tmp_path, make_pipeline):
    with pytest.raises(InputError, match=r"two classes.*only"):
        write_graph(write_index(["only"], ["only"]), tmp_path, make_pipeline)


def test_a_schema_without_the_class_is_refused():
    schema = schema_pb2.Schema()
    schema.feature.add(name="other", type=schema_pb2.BYTES)
    with pytest.raises(ValueError, match=r"image/class/text.*other"):
        transform.class_schema(schema)
