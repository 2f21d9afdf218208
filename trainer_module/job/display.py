"""What a person sees of a training: lines of its log in words, on a terminal with a bar.

Nothing here imports TensorFlow: the supervisor shows what the ranks write. Why not the display of
`pipeline/progress_display.py`: that one shows the nodes of a pipeline, and the trainer is used, and
imports nothing, without a pipeline. Both draw with rich; a training in a pipeline is shown there.
"""

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from trainer_module.job.train_log import MESSAGE, Entry


def describe(entry: Entry) -> str:
    """A line of the log in words."""
    if MESSAGE in entry:
        return entry[MESSAGE]
    return _interval(entry) if is_interval(entry) else _evaluation(entry)


def is_interval(entry: Entry) -> bool:
    """Whether it is about an interval of training, and so about how far the training is."""
    return "total_steps" in entry


def fraction(interval: Entry) -> float:
    """How far the training is at the end of an interval, 0 to 1."""
    return interval["step"] / interval["total_steps"]


def _interval(entry: Entry) -> str:
    secs = entry["eta_secs"]
    eta = "" if secs is None else f", ETA {int(secs // 60)}:{int(secs % 60):02d}"
    return (
        f"stage {entry['stage'] + 1}, {entry['img_size']} px, epoch {entry['epoch']:.2f}, "
        f"loss {entry['loss']:.4f}, top-1 {entry['top_1_train']:.4f}, "
        f"{entry['images_per_sec']:.1f} images/s{eta}, lr {entry['lr']:.2e}"
    )


def _evaluation(entry: Entry) -> str:
    if entry["eval_top_1"] is None:
        found = (
            f"no result: the logits of {entry['eval_not_finite']} of {entry['eval_examples']} "
            "images are not finite numbers"
        )
    else:
        found = f"top-1 {entry['eval_top_1']:.4f}, top-5 {entry['eval_top_5']:.4f}"
    loss = "" if entry["eval_loss"] is None else f", loss {entry['eval_loss']:.4f}"
    return f"evaluation at epoch {entry['epoch']:.2f} ({entry['weights']} weights): {found}{loss}"


class Display:
    """Shows the log of a training while it grows."""

    def __init__(self, console: Console | None = None):
        """Shows on `console`, by default on standard output."""
        self._console = console or Console(highlight=False)
        self._bar: Progress | None = None

    def show(self, entry: Entry) -> None:
        """Shows a new line of the log: an interval moves the bar where there is a terminal."""
        text = describe(entry)
        if not is_interval(entry):
            self._print(text)
        elif self._console.is_terminal:
            self._draw(entry, text)
        else:
            self._print(f"step {entry['step']}/{entry['total_steps']}: {text}")

    def close(self) -> None:
        """Takes the bar away; it comes back with the next interval."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def _draw(self, interval: Entry, text: str) -> None:
        if self._bar is None:
            columns = BarColumn(20), TaskProgressColumn(), TextColumn("{task.description}")
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.add_task("", total=interval["total_steps"])
        self._bar.update(
            self._bar.task_ids[0], completed=interval["step"], description=text, refresh=True
        )
        self._bar.start()  # after its first text; does nothing once it runs
