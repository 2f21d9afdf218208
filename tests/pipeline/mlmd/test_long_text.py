"""Long texts as properties, in real ML Metadata."""

from hypothesis import given
from hypothesis import strategies as st
from ml_metadata.proto import metadata_store_pb2

from pipeline.mlmd import connection, long_text


@given(st.text())
def test_any_text_comes_back(text):
    value = metadata_store_pb2.Value()
    long_text.put(value, text)
    assert long_text.get(value) == text


def test_texts_of_earlier_versions_are_read():
    assert long_text.get(metadata_store_pb2.Value(string_value="{}")) == "{}"


def test_store_keeps_it_outside_of_its_index_of_strings(tmp_path):
    config = connection.locate("", tmp_path / "metadata.sqlite")
    store = connection.open_store(config)
    kind = store.put_context_type(metadata_store_pb2.ContextType(name="run"))
    context = metadata_store_pb2.Context(type_id=kind, name="one")
    long_text.put(context.custom_properties["text"], "a" * 100_000)
    store.put_contexts([context])
    kept = store.get_context_by_type_and_name("run", "one").custom_properties["text"]
    assert long_text.get(kept) == "a" * 100_000
    assert not kept.HasField("string_value")  # which PostgreSQL limits to about 2,700 bytes
