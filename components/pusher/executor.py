"""Pushes a blessed model by copy and rename."""

import posixpath
import shutil
import time
import uuid
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.components.pusher import executor as tfx_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils

from components import progress, saved_models
from components.pusher import deployment
from components.pusher import push_dir as folder
from components.stored_names import PARITY_FILE
from preprocessing.errors import InputError

# Servers take only names that are numbers. The name goes on with the second of its push.
_TEMPORARY_PREFIX = ".pushing-"
# Where there are no locks: older copies were left by a push that was killed, and no push takes
# that long.
_LEFT_BEHIND_SECS = 24 * 3600


class PushError(RuntimeError):
    """The model could not be copied; what was served before still is."""


class Executor(tfx_executor.Executor):
    """See `components.pusher.component.Pusher`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes the model if both blessings are there, and writes down what was done."""
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        model = saved_models.of_artifact(input_dict["model"])
        if model is None:
            raise ValueError(f"{input_dict['model'][0].uri} holds no SavedModel to push")
        progress.report("pushing")
        # The artifact first: what fails here must not leave a version that nobody knows of.
        io_utils.copy_dir(model, pushed.uri)
        push_dir, kserve = exec_properties["push_dir"], exec_properties.get("kserve", "")
        known = saved_models.versions(push_dir)
        version = push(model, push_dir, int(time.time()))
        destination = saved_models.version_dir(push_dir, version)
        if kserve:
            run_uri = artifact_utils.get_single_uri(input_dict["model_run"])
            deployed = deploy(
                deployment.Pushed(
                    kserve,
                    version,
                    posixpath.join(run_uri, PARITY_FILE),
                    # What is not served must not be what the next model is compared with.
                    withdraw=lambda: None if version in known else fileio.rmtree(destination),
                )
            )
            for name, value in deployed.properties().items():
                _set(pushed, name, value)
        self._MarkPushed(pushed, pushed_destination=destination, pushed_version=str(version))


def deploy(pushed: deployment.Pushed) -> deployment.Deployment:
    """Lets KServe serve a version.

    Raises:
      InputError: nothing here can talk to a cluster.
    """
    if deployment.KSERVE not in deployment.DEPLOYERS:
        pushed.withdraw()
        raise InputError(
            "serving.kserve needs the package kubernetes and a cluster: `effnet run` where "
            "kubectl works, or a pipeline of `effnet compile`; or set serving.kserve.enabled=false"
        )
    return deployment.DEPLOYERS[deployment.KSERVE](pushed)


def _set(artifact: types.Artifact, name: str, value: str | int | float) -> None:
    if isinstance(value, str):
        artifact.set_string_custom_property(name, value)
    elif isinstance(value, int):
        artifact.set_int_custom_property(name, value)
    else:
        artifact.set_float_custom_property(name, value)


def push(model: str, push_dir: str, now_secs: int) -> int:
    """Makes a SavedModel the newest version in `push_dir`.

    The copy is made under a name that no server takes for a version, compared with its original,
    and then renamed, which is atomic on file systems (object stores have no renaming of folders).
    What a killed push left behind is removed: at once where the file system has locks, which
    tell that no push is under way, and after a day elsewhere.

    Args:
      model: folder of the SavedModel.
      push_dir: folder of the versions; made if it is missing.
      now_secs: seconds since 1970, the new version's number unless a served one is as large.

    Returns:
      The version under which the model is served. It is the newest one there, unchanged, if its
      bytes are this model's.

    Raises:
      PushError: it could not be copied, for example to a full disk. Nothing is left of it, and
        what was served before still is.
    """
    try:
        digest = saved_models.content_digest(model)
        fileio.makedirs(push_dir)
        with folder.locked(push_dir) as alone:
            _remove_left_behind(push_dir, now_secs, all_of_them=alone)
            served = saved_models.versions(push_dir)
            if served:
                newest = saved_models.version_dir(push_dir, served[0])
                if saved_models.content_digest(newest) == digest:
                    return served[0]
            version = max([now_secs, *(number + 1 for number in _numbers(push_dir))])
            _publish(model, digest, push_dir, version, now_secs)
            return version
    except (OSError, tf.errors.OpError, shutil.Error) as error:
        reason = " ".join(str(error).split())
        raise PushError(
            f"the model was not pushed to {push_dir}: {reason}. What was served before still is"
        ) from error


def _publish(model: str, digest: str, push_dir: str, version: int, now_secs: int) -> None:
    temporary = posixpath.join(push_dir, f"{_TEMPORARY_PREFIX}{now_secs}-{uuid.uuid4().hex}")
    folder.check_room(model, push_dir)
    try:
        io_utils.copy_dir(model, temporary)
        if saved_models.content_digest(temporary) != digest:
            raise OSError("the copy is not the same as the model")
        folder.flush(temporary)
        fileio.rename(temporary, saved_models.version_dir(push_dir, version))
    except BaseException:
        # A full disk needs the room back.
        if fileio.exists(temporary):
            fileio.rmtree(temporary)
        raise
    folder.flush_names(push_dir)


def _remove_left_behind(push_dir: str, now_secs: int, all_of_them: bool) -> None:
    for name in fileio.listdir(push_dir):
        started = name.removeprefix(_TEMPORARY_PREFIX).partition("-")[0]
        if name.startswith(_TEMPORARY_PREFIX) and (
            all_of_them or int(started) < now_secs - _LEFT_BEHIND_SECS
        ):
            fileio.rmtree(posixpath.join(push_dir, name))


def _numbers(push_dir: str) -> list[int]:
    """All numbers in use, also of folders that hold no complete model."""
    names = [name.rstrip("/") for name in fileio.listdir(push_dir)]
    return [int(name) for name in names if name.isascii() and name.isdigit()]
