"""Goes on from the newest checkpoint, as far as the settings are still those of its training."""

from collections.abc import Callable

from preprocessing.errors import InputError
from trainer_module import checkpoint_files, continuation
from trainer_module.checkpoints import Checkpoints
from trainer_module.config import TrainConfig
from trainer_module.made_with import MadeWith
from trainer_module.train_step import TrainState

# In these the batches of a training are taken; the others only look at its weights.
TRAINING_MODES = frozenset({"train", "train_and_eval"})


def resume(
    config: TrainConfig,
    checkpoints: Checkpoints,
    state: TrainState,
    now: MadeWith,
    code_digest: str,
    say: Callable[[str], None],
) -> MadeWith:
    """Gives the state the values of the newest checkpoint, if there is one.

    Args:
      config: the settings.
      checkpoints: those of the training.
      state: is at its beginning.
      now: what the training would make a checkpoint with, at its beginning.
      code_digest: of the code that runs.
      say: receives lines for the person.

    Returns:
      `now` at the position that was reached; in a mode that trains nothing, what the checkpoint was
      made with.

    Raises:
      InputError: a checkpoint is damaged, or was made with something else.
    """
    found = checkpoint_files.newest(config.model_dir)
    if found is None:
        return now
    if config.mode not in TRAINING_MODES:
        checkpoints.restore(found.path)
        return found.made_with or now
    before = found.made_with
    if before is None:
        checkpoint_files.read(found.path)
        raise InputError(
            f"checkpoint {found.path} does not say what it was made with, as an earlier version "
            "wrote it; use another model_dir"
        )
    digest = before.code[-1][0] if before.code else code_digest
    changed = f"the code changed ({_short(digest)} -> {_short(code_digest)}) since step "
    changed += f"{before.images // before.global_batch}"
    if digest != code_digest and config.restart_on_code_change:
        checkpoints.remove_all()
        say(f"{changed}: the training begins anew, as restart_on_code_change says")
        return now
    plan = continuation.plan(found.path, before, now)
    checkpoints.restore(found.path)
    for message in plan.messages:
        say(message)
    if digest != code_digest:
        say(f"{changed}: the steps after it run under the new one")
    _place(state, plan, before, now)
    return now.continued_from(before, plan.images)


def _place(
    state: TrainState, plan: continuation.Continuation, before: MadeWith, now: MadeWith
) -> None:
    """Counts in steps of today's batch."""
    state.step.assign(plan.images // now.global_batch)
    best_images = int(state.best_step.numpy()) * before.global_batch
    state.best_step.assign(best_images // now.global_batch if plan.keeps_best else 0)
    if not plan.keeps_best:
        state.best_top_1.assign(-1.0)
        state.best_top_5.assign(-1.0)


def _short(digest: str) -> str:
    return digest[: continuation.DIGEST_CHARS]
