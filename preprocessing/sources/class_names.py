"""Which class an image has: texts and numbers of a source, and the class names of the config."""

from dataclasses import dataclass

from preprocessing.errors import InputError
from preprocessing.sources import storage

_MAX_FILE_BYTES = 100_000_000
_MAX_DIGITS = 18


@dataclass(frozen=True)
class ClassNames:
    """The classes that the config names.

    Attributes:
      names: in the order of their numbers; empty where the config names none.
      label_offset: the number of the first class, in the source.
    """

    names: tuple[str, ...] = ()
    label_offset: int = 0

    def resolve(self, text: str, number: int | None) -> tuple[str, str]:
        """Decides the class of an image.

        With class names, a number is an index into them, and a text must be one of them (or a
        number, as text). A number decides, and a text that is another class contradicts it.
        Without class names, the text is the class, or else the number, less the offset.

        Args:
          text: what the source calls the class, may be empty.
          number: its number in the source, or None.

        Returns:
          (class text, error): one of the two is empty.
        """
        is_number = text.isdecimal() and len(text) <= _MAX_DIGITS
        if number is None and self.names and text not in self.names and is_number:
            number, text = int(text), ""
        if number is None or (text and not self.names):
            if not text:
                return "", "no label"
            return self._known(text)
        index = number - self.label_offset
        if not self.names:
            return (str(index), "") if index >= 0 else ("", self._outside(number))
        if not 0 <= index < len(self.names):
            return "", self._outside(number)
        name = self.names[index]
        if text in self.names and text != name:
            return "", f"label {number} is {name!r} by the class names, {text!r} by its text"
        return name, ""

    def _known(self, text: str) -> tuple[str, str]:
        if not is_class_text(text):
            return "", f"class {text!r} is no printable text without spaces at its ends"
        if self.names and text not in self.names:
            return "", f"class {text!r} is none of the {len(self.names)} class names"
        return text, ""

    def _outside(self, number: int) -> str:
        most = f" to {self.label_offset + len(self.names) - 1}" if self.names else " or more"
        return f"label {number} is outside of {self.label_offset}{most}"


def read_class_names(path: str, label_offset: int) -> ClassNames:
    """Reads a file with a class name a line, in the order of the classes' numbers.

    Args:
      path: of the file; empty for no names.
      label_offset: the number of the first class, in the source.

    Raises:
      InputError: it cannot be read, or its lines are no class names.
    """
    if not path:
        return ClassNames(label_offset=label_offset)
    try:
        text = storage.read_file(path, _MAX_FILE_BYTES).decode("utf-8-sig")
    except (storage.ReadError, UnicodeDecodeError) as error:
        raise InputError(
            f"data.class_names_file must be a readable UTF-8 file with a class name a line. "
            f"Received: {path!r}: {error}"
        ) from None
    names = tuple(text.splitlines())
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not is_class_text(name) or name in seen:
            raise InputError(
                f"data.class_names_file must have one different, printable name a line. "
                f"Received: line {number} of {path!r}: {name!r}"
            )
        seen.add(name)
    if len(names) < 2:
        raise InputError(
            f"data.class_names_file must name at least two classes. Received: {path!r} with {names}"
        )
    return ClassNames(names, label_offset)


def is_class_text(text: str) -> bool:
    """Whether a text can be a class name: a line of labels.txt, and a feature in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return bool(text) and text.isprintable() and text == text.strip()
