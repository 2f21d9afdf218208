"""Reads serialised `tf.train.Example`s without TensorFlow, which takes seconds to import.

The message is declared here once more, as tensorflow/core/example/{example,feature}.proto do, with
the same numbers of fields; protobuf does the rest.
"""

from google.protobuf import descriptor_pb2, message_factory

Value = bytes | int | float

_FIELD = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "effnet.records"


def parse_record(record: bytes) -> dict[str, Value]:
    """The first value of each feature of a serialised record; features without one are absent."""
    values: dict[str, Value] = {}
    for key, feature in _Example.FromString(record).features.feature.items():
        if feature.bytes_list.value:
            values[key] = feature.bytes_list.value[0]
        elif feature.int64_list.value:
            values[key] = feature.int64_list.value[0]
        elif feature.float_list.value:
            values[key] = feature.float_list.value[0]
    return values


def _declaration() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="effnet/records.proto", package=_PACKAGE, syntax="proto3"
    )
    kinds = (
        ("bytes", _FIELD.TYPE_BYTES),
        ("float", _FIELD.TYPE_FLOAT),
        ("int64", _FIELD.TYPE_INT64),
    )
    feature = descriptor_pb2.DescriptorProto(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(kinds, start=1):
        values = file.message_type.add(name=f"{name.title()}List")
        values.field.add(name="value", number=1, type=kind, label=_FIELD.LABEL_REPEATED)
        _add_message(feature, f"{name}_list", number, values.name).oneof_index = 0
    file.message_type.append(feature)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    _add_message(entry, "value", 2, "Feature")
    _add_message(features, "feature", 1, "Features.FeatureEntry").label = _FIELD.LABEL_REPEATED
    _add_message(file.message_type.add(name="Example"), "features", 1, "Features")
    return file


def _add_message(
    to: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str
) -> descriptor_pb2.FieldDescriptorProto:
    return to.field.add(
        name=name,
        number=number,
        type=_FIELD.TYPE_MESSAGE,
        label=_FIELD.LABEL_OPTIONAL,
        type_name=f".{_PACKAGE}.{kind}",
    )


_Example = message_factory.GetMessages([_declaration()])[f"{_PACKAGE}.Example"]
