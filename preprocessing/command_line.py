"""Commands: settings as flags, errors of one line, and the exit status that an end means."""

import argparse
import difflib
import os
import sys
import traceback
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from preprocessing import failures, lean_import
from preprocessing.errors import InputError
from preprocessing.field_text import FieldText, field_texts
from preprocessing.settings import Settings, read_settings
from preprocessing.text import one_line
from preprocessing.yaml_values import parse as parse_yaml

SettingsT = TypeVar("SettingsT", bound=Settings)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like those of all other input.

    Options have underscores, as the published training flags do; with hyphens they are
    understood as well.
    """

    def error(self, message: str) -> NoReturn:
        """Raises InputError instead of printing the usage."""
        raise InputError(f"command line: {message}")

    def option_names(self) -> list[str]:
        """All options, without the leading hyphens."""
        return [name.lstrip("-") for name in self._option_string_actions]

    def parse_known_args(self, args=None, namespace=None):
        """Reads arguments, whichever way their options are spelled."""
        given = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(list(map(self._with_underscores, given)), namespace)

    def _with_underscores(self, argument: str) -> str:
        name, equals, value = argument.partition("=")
        option = f"--{name[2:].replace('-', '_')}"
        is_ours = name.startswith("--") and option in self._option_string_actions
        return f"{option}{equals}{value}" if is_ours else argument

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Called by argparse for what has choices; its own message names no closest one."""
        if action.choices is None or value in action.choices:
            return
        choices = list(map(str, action.choices))
        name = "/".join(action.option_strings) or action.metavar or action.dest
        close = difflib.get_close_matches(str(value), choices, n=1, cutoff=0.5)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise InputError(
            f"command line: {name} must be one of {', '.join(choices)}. Received: {value!r}{hint}"
        )


def unknown_argument(argument: str, known: Sequence[str]) -> InputError:
    """The error of an argument that is not among the flags `known`; names the closest."""
    name = argument.split("=")[0].lstrip("-").replace("-", "_")
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean --{close[0]}?" if close else "; see --help"
    return InputError(f"command line: unknown argument {argument!r}{hint}")


def add_flags(
    parser: argparse.ArgumentParser, settings: type[Settings], leave_out: Container[str] = ()
) -> None:
    """Adds a flag for every field of a class of settings; a boolean one needs no value.

    Args:
      parser: gets a group for each class that declares some of the fields.
      settings: what its fields say of themselves is the help.
      leave_out: names of fields that become no flag.
    """
    for title, fields in field_texts(settings):
        group = parser.add_argument_group(title.rstrip("."))
        for field in fields:
            if field.name in leave_out:
                continue
            is_switch = settings.model_fields[field.name].annotation is bool
            group.add_argument(
                f"--{field.name}",
                metavar="VALUE",
                default=argparse.SUPPRESS,
                help=_help(field).replace("%", "%%"),
                **({"nargs": "?", "const": "true"} if is_switch else {}),
            )


def read_flags(settings: type[SettingsT], texts: Mapping[str, Any]) -> SettingsT:
    """The settings of flags' texts, which are read as YAML unless the field is a text itself.

    Args:
      settings: a class of settings.
      texts: by name; names that are no fields are passed over.

    Raises:
      InputError: a value is refused; one line.
    """
    fields = settings.model_fields
    values = {name: text for name, text in texts.items() if name in fields}
    for name, text in values.items():
        if fields[name].annotation is not str and isinstance(text, str):
            values[name] = parse_yaml(text, f"command line: --{name}")
    return read_settings(settings, values, "command line")


def run_command(name: str, function: Callable[[], int]) -> int:
    """Runs a command and tells how it ended.

    Args:
      name: the command's, which begins each line about an error.
      function: returns the exit status.

    Returns:
      The exit status: what `function` says; 2 the input was wrong, 3 a step failed, and 130 for
      Ctrl-C.
    """
    lean_import.install()
    try:
        return function()
    except InputError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return failures.BAD_INPUT
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return failures.INTERRUPTED
    except BrokenPipeError:
        # The reader (`... | head`) has seen enough. Python would complain at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return failures.DONE
    except Exception as error:
        if failures.input_error(error) is None and failures.server_away(error) is None:
            traceback.print_exc()
        print(f"{name}: {one_line(failures.one_line(error))}", file=sys.stderr)
        return failures.status_of(error)


def _help(field: FieldText) -> str:
    """A field's meaning, what it may be, and its default."""
    allowed = ", ".join(filter(None, (field.type, field.bounds)))
    default = "" if field.default == "see meaning" else f"; default: {field.default}"
    mark = f"; changes: {field.mark}" if field.mark else ""
    return f"{field.meaning} [{allowed}{default}{mark}]"
