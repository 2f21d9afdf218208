"""Claim: our processes import TensorFlow in at most 0.75 of the processor time it takes by itself.

The peer is `import tensorflow` in a new interpreter; ours is `import trainer_module.loop`, with
which each rank of a training begins: TensorFlow, without what its Keras loads for notebooks, and
all modules of the training (preprocessing/lean_import.py).
"""

import argparse
import subprocess
import sys

import common

BOUND = 0.75
MEASURE = "import time, {module}; print(time.process_time())"
LEAN = "from preprocessing import lean_import; lean_import.install(); "


def secs(code: str) -> float:
    """Processor seconds of a new interpreter that runs `code`, which prints them."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, check=True, cwd=common.ROOT, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measures both in turns, and judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 repeats")
    args = parser.parse_args()
    common.print_machine()
    of_peer = MEASURE.format(module="tensorflow")
    of_ours = LEAN + MEASURE.format(module="trainer_module.loop")
    measures = [lambda: secs(of_peer), lambda: secs(of_ours)]
    (peer, ours), _ = common.alternate(measures, 3 if args.quick else 9)
    print(f"processor time, s: {peer:.2f} tensorflow alone, {ours:.2f} with all of a rank")
    verdict = common.Verdict()
    verdict.claim(
        "processor time of a rank's imports, of tensorflow alone", ours / peer, at_most=BOUND
    )
    verdict.exit()


if __name__ == "__main__":
    main()
