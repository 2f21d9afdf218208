"""Claim: a stage-wise training of 4 stages takes 0.65 of the time of one at the last size.

Ours: `python -m trainer_module` with the published 4 stages from 128 to 300 px. The peer: the same
command, at 300 px from the start. Both: EfficientNetV2-S at its full
width, the same photographs, epochs, batch, augmentation and final evaluation; the time is that of
the whole process, with start-up, tracing, checkpoints and export.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
import photographs

BOUND = 0.65
FIRST_PX, LAST_PX, STAGES = 128, 300, 4


def train_secs(data_dir: Path, model_dir: Path, epochs: int, stages: int, width: float) -> float:
    """Seconds of a whole training."""
    flags = {
        "data_dir": data_dir,
        "model_dir": model_dir,
        "num_classes": photographs.CLASSES,
        "width_coefficient": width,
        "n_stages": stages,
        "base_img_size": FIRST_PX,
        "img_size": LAST_PX,
        "eval_img_size": LAST_PX,
        "base_randaug_mag": 5.0,
        "raug_magnitude": 15.0,
        "max_epochs": epochs,
        "eval_freq": epochs,
        "save_checkpoint_freq": epochs,
        "lr_warmup_epochs": 1,
        "lr_init": 0.001,
        "train_batch_size": 32,
    }
    command = [sys.executable, "-W", "ignore", "-m", "trainer_module"]
    command += [f"--{name}={value}" for name, value in flags.items()]
    started = time.perf_counter()
    subprocess.run(command, check=True, cwd=common.ROOT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="half the width, fewer epochs, once")
    options = parser.parse_args()
    count, epochs, repeats, width = (128, 8, 1, 0.5) if options.quick else (640, 8, 1, 1.0)
    common.print_machine()
    verdict = common.Verdict()
    with tempfile.TemporaryDirectory() as name:
        folder, runs = Path(name), iter(range(100))
        data = folder / "records"
        paths = photographs.write_photographs(folder / "photographs", count)
        photographs.write_records(data, paths, 320)

        def of(stages: int) -> float:
            return train_secs(data, folder / f"run-{next(runs)}", epochs, stages, width)

        (staged, fixed), _ = common.alternate([lambda: of(STAGES), lambda: of(1)], repeats)
    print(f"{count} images, {epochs} epochs, batch 32, EfficientNetV2-S, width {width:g}")
    common.print_table(
        ["training", "seconds"],
        [
            [f"{STAGES} stages, {FIRST_PX} to {LAST_PX} px", f"{staged:.0f}"],
            [f"{LAST_PX} px throughout", f"{fixed:.0f}"],
        ],
    )
    verdict.claim("whole run, stage-wise / fixed size", staged / fixed, at_most=BOUND)
    verdict.exit()


if __name__ == "__main__":
    main()
