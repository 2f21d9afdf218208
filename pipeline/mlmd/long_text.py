"""Texts of any length as properties in ML Metadata.

PostgreSQL keeps strings in an index, and refuses those that are longer than about 2,700 bytes
after its compression. Protos are in no index.
"""

import zlib

from google.protobuf import wrappers_pb2
from ml_metadata.proto import metadata_store_pb2


def put(value: metadata_store_pb2.Value, text: str) -> None:
    """Makes a property hold a text."""
    packed = zlib.compress(text.encode("utf-8"))
    value.proto_value.Pack(wrappers_pb2.BytesValue(value=packed))


def get(value: metadata_store_pb2.Value) -> str:
    """The text of a property, also one that was stored as a plain string."""
    if not value.HasField("proto_value"):
        return value.string_value
    packed = wrappers_pb2.BytesValue()
    value.proto_value.Unpack(packed)
    return zlib.decompress(packed.value).decode("utf-8")
