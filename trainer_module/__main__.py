"""`python -m trainer_module --data_dir DIR --model_dir DIR [flags]`.

With `-` instead of flags, the settings come as a JSON object from standard input.
"""

import sys
from collections.abc import Sequence

from preprocessing import lean_import
from preprocessing.errors import InputError
from trainer_module import flags, rank
from trainer_module.config import TrainConfig
from trainer_module.job import host_name, processes, rank_config, rank_env, supervisor


def main(arguments: Sequence[str]) -> int:
    """Runs a training; returns the exit status."""
    lean_import.install()
    try:
        if list(arguments) == ["-"]:
            return run(rank_config.parse(sys.stdin.read(), "standard input"))
        return run(flags.parse(arguments))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return processes.BAD_INPUT


def run(config: TrainConfig) -> int:
    """Runs a training, with all its ranks; returns the exit status.

    This process becomes the supervisor of the ranks, unless another launcher made it one itself.

    Raises:
      InputError: the settings cannot be used.
    """
    for name in ("data_dir", "model_dir"):
        if not getattr(config, name):
            raise InputError(f"--{name} is required")
    if config.launcher != "local":
        raise InputError(
            "--launcher must be local: an MPIJob is made by the pipeline, from `effnet compile`. "
            f"Received: {config.launcher!r}"
        )
    launched = rank_env.launched(config.num_processes)
    if launched is None:
        if config.num_processes > 1:
            host_name.check()
        return supervisor.run(config)
    # Ranks that another launcher started: nobody here watches them.
    host_name.ensure_address()
    if launched.rank != 0:
        return rank.run(config)
    with supervisor.lock(config.model_dir):
        rank_config.write(config)
        return rank.run(config)


if __name__ == "__main__":
    processes.die_with_parent()
    sys.exit(main(sys.argv[1:]))
