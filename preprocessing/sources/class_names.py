"""Which class an image has: texts and numbers of a source, and the class names of the config."""

from dataclasses import dataclass

from preprocessing.errors import InputError
from preprocessing.files.class_names import is_class_text, parse_class_names
from preprocessing.problems import NO_CLASS, Problem
from preprocessing.sources import storage

_MAX_FILE_BYTES = 100_000_000
_MAX_DIGITS = 18

__all__ = ["ClassNames", "is_class_text", "read_class_names"]


@dataclass(frozen=True)
class ClassNames:
    """The classes that the config, or the source itself, names.

    Attributes:
      names: in the order of their numbers; empty where there are none.
      label_offset: the number of the first class, in the source.
    """

    names: tuple[str, ...] = ()
    label_offset: int = 0

    def resolve(self, text: str, number: int | None) -> tuple[str, Problem | None]:
        """Decides the class of an image.

        With class names, a number is an index into them, and a text must be one of them (or a
        number, as text). A number decides, and a text that is another class contradicts it.
        Without class names, the text is the class, or else the number, less the offset.

        Args:
          text: what the source calls the class, may be empty.
          number: its number in the source, or None.

        Returns:
          (class text, what is wrong with it): the first is empty where there is something.
        """
        is_number = text.isdecimal() and len(text) <= _MAX_DIGITS
        if number is None and self.names and text not in self.names and is_number:
            number, text = int(text), ""
        if number is None or (text and not self.names):
            if not text:
                return _none("no label")
            return self._known(text)
        index = number - self.label_offset
        if not self.names:
            return (str(index), None) if index >= 0 else self._outside(number)
        if not 0 <= index < len(self.names):
            return self._outside(number)
        name = self.names[index]
        if text in self.names and text != name:
            return _none(f"label {number} is {name!r} by the class names, {text!r} by its text")
        return name, None

    def _known(self, text: str) -> tuple[str, Problem | None]:
        if not is_class_text(text):
            return _none(f"class {text!r} is no printable text without spaces at its ends")
        if self.names and text not in self.names:
            return _none(f"class {text!r} is none of the {len(self.names)} class names")
        return text, None

    def _outside(self, number: int) -> tuple[str, Problem]:
        most = f" to {self.label_offset + len(self.names) - 1}" if self.names else " or more"
        return _none(f"label {number} is outside of {self.label_offset}{most}")


def _none(detail: str) -> tuple[str, Problem]:
    return "", Problem(NO_CLASS, detail)


def read_class_names(path: str, label_offset: int) -> ClassNames:
    """Reads a file with one class name per line, in the order of the classes' numbers.

    Args:
      path: of the file; empty for no names.
      label_offset: the number of the first class, in the source.

    Raises:
      InputError: it cannot be read, or its lines are no class names.
    """
    if not path:
        return ClassNames(label_offset=label_offset)
    try:
        data = storage.read_file(path, _MAX_FILE_BYTES)
    except storage.ReadError as error:
        raise InputError(
            f"data.class_names_file must be a readable file with one class name per line. "
            f"Received: {path!r}: {error}"
        ) from None
    return ClassNames(parse_class_names(data, path), label_offset)
