"""One rank of a training: `python -m trainer_module.rank MODEL_DIR` is how it is started."""

import os
import sys
import traceback
import warnings

from preprocessing.errors import InputError
from preprocessing.files import disk_full
from preprocessing.files.disk_full import DiskFullError
from trainer_module.config import TrainConfig
from trainer_module.job import processes, rank_config, rank_env
from trainer_module.job.heartbeat import Heartbeat
from trainer_module.job.processes import BAD_INPUT, CRASHED, DONE, FAILED, INTERRUPTED


def run(config: TrainConfig) -> int:
    """Runs this process's part of a training; returns the exit status.

    How it ended also stands in the last sign of its heartbeat, as `horovodrun` hides it.
    """
    _quieten()
    heartbeat = Heartbeat(config.model_dir, rank_env.rank())
    status, error = CRASHED, "interrupted"
    try:
        heartbeat.start()
        status, error = _train(config, heartbeat)
    except DiskFullError as full:
        status, error = FAILED, str(full)
    except Exception as crash:
        traceback.print_exc()
        error = f"{type(crash).__name__}: {(str(crash).splitlines() or [''])[0]}"
    finally:
        is_known = _report(heartbeat, status, error)
    if error and status != CRASHED and not is_known:
        print(f"error: {error}", file=sys.stderr, flush=True)
    if status == INTERRUPTED:
        # To a supervised rank's horovodrun it is no failure: that would make it end the others,
        # which may still write the checkpoint.
        return DONE if processes.is_supervised() else FAILED
    return status


def _report(heartbeat: Heartbeat, status: int, error: str) -> bool:
    """Writes how the rank ended; whether a supervisor reads that."""
    try:
        heartbeat.stop(status, error)
    except DiskFullError:
        return False
    return processes.is_supervised()


def _train(config: TrainConfig, heartbeat: Heartbeat) -> tuple[int, str]:
    """Trains; returns the exit status and what a person should know of the end."""
    # Only now, so that a wrong flag is refused at once, and the supervisor stays small.
    import tensorflow as tf

    from trainer_module import loop, meter
    from trainer_module.data import record_index
    from trainer_module.job import stop_signal

    try:
        with disk_full.naming(config.model_dir):  # where no block in it knows the file
            loop.run(config, heartbeat)
    except InputError as error:
        return BAD_INPUT, str(error)
    except (meter.TrainingError, record_index.DataError) as error:
        return FAILED, str(error)
    except tf.errors.DataLossError as error:  # the same every time
        return FAILED, f"a record of data_dir is damaged: {error.message.splitlines()[0]}"
    except stop_signal.TrainingInterrupted as error:
        return INTERRUPTED, str(error)
    return DONE, ""


def _quieten() -> None:
    # TensorFlow's notes on registered plug-ins and ended iterators are no news to anybody; what
    # it raises is printed anyway.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning, module="google")


if __name__ == "__main__":
    processes.end_with_supervisor()
    sys.exit(run(rank_config.read(sys.argv[1])))
