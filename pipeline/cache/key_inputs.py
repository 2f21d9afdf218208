"""What a node's result depends on, and in which words two of them differ."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

# Words are for one line of a table.
MAX_VALUE_CHARS = 28
MAX_FILES = 3
DIGEST_CHARS = 8
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


@dataclasses.dataclass(frozen=True)
class KeyInputs:
    """All that a node's result depends on; equal inputs of the key, equal result.

    Attributes:
      executor: dotted name of the class that does the work.
      properties: exec properties as text, what the driver looked up among them.
      code: SHA-256 of what each own source file that may run does, for the words; the key has the
        digest of all of them among `properties`, which does not change where files are moved.
      packages: versions of the installed packages that this code imports.
      inputs: for each input a text an artifact: its type, properties and content's fingerprint.
    """

    executor: str
    properties: Mapping[str, str]
    code: Mapping[str, str]
    packages: Mapping[str, str]
    inputs: Mapping[str, list[str]]

    @property
    def key(self) -> str:
        """SHA-256 of it all."""
        return hashlib.sha256(dataclasses.replace(self, code={}).to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """As one line of JSON with sorted keys."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "KeyInputs | None":
        """Reads it back; None where another version wrote it."""
        values = json.loads(text)
        names = {field.name for field in dataclasses.fields(cls)}
        return cls(**values) if set(values) == names else None


def describe_changes(old: KeyInputs, new: KeyInputs, unknown: Iterable[str] = ()) -> list[str]:
    """The differences in short sentences, the weightiest first.

    Args:
      old: of the earlier execution.
      new: of the one to come.
      unknown: inputs that are not there yet, and left out here.
    """
    found = []
    if old.executor != new.executor:
        found.append(f"executor {old.executor} -> {new.executor}")
    files = _changed_files(old.code, new.code)
    if files:
        shown = ", ".join(files[:MAX_FILES])
        more = f" and {len(files) - MAX_FILES} more" if len(files) > MAX_FILES else ""
        found.append(f"code changed: {shown}{more}")
    for name, before, after in _changes(old.packages, new.packages):
        found.append(f"package {name} {before or 'not used'} -> {after or 'not used'}")
    left_out = {"code_digest"} if files else set()
    for name, before, after in _changes(old.properties, new.properties):
        if name not in left_out:
            found += _property_changes(name, before, after)
    for name, before, after in _changes(old.inputs, new.inputs):
        if name not in set(unknown):
            found.append(_input_change(name, before, after))
    return found


def _changed_files(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The files that do something else, are new or are gone; not those that were moved."""
    gone = {content for name, content in old.items() if name not in new}
    added = {content for name, content in new.items() if name not in old}
    moved = gone & added
    return [
        name
        for name, before, after in _changes(old, new)
        if not ((before is None or after is None) and (before or after) in moved)
    ]


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    names = sorted({*old, *new})
    return [(n, old.get(n), new.get(n)) for n in names if old.get(n) != new.get(n)]


def _property_changes(name: str, old: str | None, new: str | None) -> list[str]:
    """One line a changed value; where both are JSON objects, one a changed key in them."""
    before, after = _json_object(old), _json_object(new)
    if before is None or after is None:
        return [f"{name} {_short(old)} -> {_short(new)}"]
    lines: list[str] = []
    for key, was, now in _changes(before, after):
        lines += _property_changes(f"{name}.{key}", json.dumps(was), json.dumps(now))
    return lines or [f"{name} is written differently"]


def _json_object(text: str | None) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _input_change(name: str, old: list[str] | None, new: list[str] | None) -> str:
    if not old:
        return f"input {name} is new"
    if not new:
        return f"input {name} is not there any more"
    return f"input {name} has other content"


def _short(text: str | None) -> str:
    if text is None:
        return "none"
    if not text:
        return "empty"
    text = _DIGEST.sub(lambda match: match.group()[:DIGEST_CHARS], " ".join(text.split()))
    return text if len(text) <= MAX_VALUE_CHARS else f"...{text[-MAX_VALUE_CHARS:]}"
