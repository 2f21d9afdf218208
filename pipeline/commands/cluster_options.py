"""The options of commands that ask a server of Kubeflow Pipelines."""

import argparse

import pydantic

from pipeline.kubeflow_config import ObjectName
from preprocessing.errors import InputError


def add_options(group: argparse._ActionsContainer, *, required: bool) -> None:
    """Adds the options.

    Args:
      group: a parser, or a group of one.
      required: whether --host must be given.
    """
    group.add_argument(
        "--host",
        metavar="URL",
        required=required,
        help="web page of Kubeflow Pipelines, as in http://localhost:8080",
    )
    group.add_argument(
        "--namespace", metavar="NAME", default="", help="profile, on a server that has them"
    )
    group.add_argument(
        "--token_file",
        metavar="FILE",
        help="file with the token; else it is in the variable KF_PIPELINES_TOKEN, or in the file "
        "that KF_PIPELINES_SA_TOKEN_PATH names",
    )


def client(args: argparse.Namespace):
    """Makes the client that the options mean."""
    from kubeflow.submission.client import Client  # what sends requests takes its time to import
    from kubeflow.submission.token import Token

    return Client(args.host, Token(args.token_file))


def object_name(option: str, name: str) -> str:
    """The name of an object of Kubernetes that an option gives; empty where it gives none.

    Raises:
      InputError: Kubernetes has no such names.
    """
    try:
        return pydantic.TypeAdapter(ObjectName).validate_python(name) if name else ""
    except pydantic.ValidationError as error:
        rule = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"{option} {rule}. Received: {name!r}") from None
