"""YAML as people write it in configs and flags, read without surprises."""

from typing import Any

import yaml

from preprocessing.errors import InputError

_MERGE_TAG = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """Refuses what YAML's own loader takes in silence: a key twice, and a key that is no text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        lines: dict[str, int] = {}
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag == _MERGE_TAG:  # `<<` takes keys over, which those beside it replace
                continue
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise _Refused(
                    f"a key must be text. Received: {in_yaml(key)}; put it in quotes", line
                )
            if key in lines:
                raise _Refused(
                    f"a key must stand once in its section. Received: {key!r}, which is in line "
                    f"{lines[key]} already; keep one of them",
                    line,
                )
            lines[key] = line
        return super().construct_mapping(node, deep)


class _Refused(Exception):
    def __init__(self, rule: str, line: int):
        super().__init__(rule)
        self.line = line


def parse(text: str, source: str) -> Any:
    """Reads YAML.

    Args:
      text: one YAML document.
      source: what it came from (a file name, a flag), for the message.

    Returns:
      what it holds: mappings with texts as keys, lists, texts, numbers, booleans, dates, None.

    Raises:
      InputError: it is no YAML, or a mapping has a key twice or one that is no text; one line,
        which names the line of a text of several.
    """
    try:
        return yaml.load(text, _Loader)
    except _Refused as error:
        rule, line = str(error), error.line
    except yaml.MarkedYAMLError as error:
        rule = f"is not valid YAML: {' '.join(filter(None, (error.context, error.problem)))}"
        line = error.problem_mark.line + 1 if error.problem_mark else 0
    except yaml.YAMLError as error:
        rule, line = f"is not valid YAML: {error}", 0
    except ValueError as error:  # of Python: February 30, or a number of thousands of digits
        rule, line = f"is not valid YAML: {error}", 0
    except RecursionError:
        rule, line = "is not valid YAML: it is nested too deeply", 0
    where = f"line {line}: " if line and "\n" in text.strip() else ""
    raise InputError(f"{source}: {where}{' '.join(rule.split())}")


def in_yaml(value: Any) -> str:
    """A value as a person would write it in a config, on one line; texts stand in quotes."""
    if isinstance(value, str):
        return repr(value)
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True)
    return " ".join(text.removesuffix("...\n").split())
