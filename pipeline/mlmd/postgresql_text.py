r"""Strings on their way to PostgreSQL, where ML Metadata would break them.

ML Metadata's client quotes a string with a backslash wrongly, which is an error at best, and
PostgreSQL takes no string above some 2,700 bytes into the index over properties. So a backslash
goes there as a character for private use, U+E05C, and a long text as a proto, which is in no
index. Names, URIs and properties come back as they were.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf import message as protobuf
from google.protobuf import wrappers_pb2
from ml_metadata.proto import metadata_store_pb2

_BACKSLASH, _ESCAPE = "\ue05c", "\ue05d"
_TO_STORE = str.maketrans(
    {"\\": _BACKSLASH, _BACKSLASH: f"{_ESCAPE}0", _ESCAPE: f"{_ESCAPE}1"},
)
_STORED = re.compile(f"{_BACKSLASH}|{_ESCAPE}0|{_ESCAPE}1")
_FROM_STORE = {_BACKSLASH: "\\", f"{_ESCAPE}0": _BACKSLASH, f"{_ESCAPE}1": _ESCAPE}
_MARKS = (_BACKSLASH.encode(), _ESCAPE.encode())
# Far enough below PostgreSQL's bound for the other columns of the index.
LONGEST_STRING_BYTES = 2_000
_LONG_TEXT = wrappers_pb2.StringValue.DESCRIPTOR.full_name.encode()


def to_store(request: protobuf.Message) -> protobuf.Message:
    """The request as PostgreSQL can hold it; the one that was given stays as it is."""
    changed = type(request)()
    changed.CopyFrom(request)
    for values in _custom_properties(changed):
        for value in values.values():
            text = value.string_value
            if len(text.encode("utf-8")) > LONGEST_STRING_BYTES:
                value.proto_value.Pack(wrappers_pb2.StringValue(value=text))
    content = changed.SerializeToString()
    if any(mark in content for mark in (b"\\", *_MARKS)):
        _change_strings(changed, lambda text: text.translate(_TO_STORE))
    return changed


def from_store(response: protobuf.Message) -> None:
    """Makes a response what was stored."""
    content = response.SerializeToString()
    if any(mark in content for mark in _MARKS):
        _change_strings(
            response, lambda text: _STORED.sub(lambda found: _FROM_STORE[found.group()], text)
        )
    if _LONG_TEXT in content:
        for values in _custom_properties(response):
            for value in values.values():
                packed = wrappers_pb2.StringValue()
                if value.HasField("proto_value") and value.proto_value.Unpack(packed):
                    value.string_value = packed.value


def _custom_properties(message: protobuf.Message) -> Iterator[Any]:
    """The maps of custom properties in a message, whatever else it holds."""
    for found in _messages(message):
        if isinstance(
            found,
            metadata_store_pb2.Artifact | metadata_store_pb2.Execution | metadata_store_pb2.Context,
        ):
            yield found.custom_properties


def _messages(message: protobuf.Message) -> Iterator[protobuf.Message]:
    """A message, and all that it holds."""
    yield message
    for _, value in message.ListFields():
        for part in _parts(value):
            if isinstance(part, protobuf.Message):
                yield from _messages(part)


def _change_strings(message: protobuf.Message, change: Callable[[str], str]) -> None:
    for found in _messages(message):
        for field, value in found.ListFields():
            if field.type != field.TYPE_STRING:
                continue
            if isinstance(value, str):
                setattr(found, field.name, change(value))
            else:
                value[:] = [change(text) for text in value]


def _parts(value: Any) -> list[Any]:
    """What a field holds: one thing, several, or the values of a map."""
    if isinstance(value, str | bytes | int | float | protobuf.Message):
        return [value]
    return list(value.values()) if hasattr(value, "values") else list(value)
