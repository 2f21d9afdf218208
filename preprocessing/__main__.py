"""`python -m preprocessing SOURCE OUTPUT [flags] [Beam options]`: the data path without TFX.

Below OUTPUT it writes `source` (records as they were found), `transform_graph`, `dataset` (what a
training reads) and `quarantine`, and the log `preprocessing.log`. What stands there already is
kept: after a failure, the same command goes on with the step that failed.
"""

from preprocessing import interrupts

with interrupts.silent():
    import argparse
    import contextlib
    import json
    import os
    import shutil
    import sys
    import traceback
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from preprocessing import command_line, failures
    from preprocessing.errors import InputError
    from preprocessing.files import disk_full
    from preprocessing.ingest.options import IngestOptions
    from preprocessing.output_capture import OutputCapture
    from preprocessing.sources import storage
    from preprocessing.stage.options import StageOptions
    from preprocessing.text import one_line

NAME = "python -m preprocessing"
LOG_FILE = "preprocessing.log"
# The options with which `source` was made.
OPTIONS_FILE = "ingest_options.json"

_EPILOG = """\
examples:
  python -m preprocessing photos out --max_side_px 320 --on_duplicate drop
  python -m preprocessing photos out --direct_running_mode multi_processing --direct_num_workers 8
  python -m preprocessing s3://bucket/photos out --s3_endpoint_url http://localhost:9000

Flags that are not listed here are options of Beam (--runner, --job_endpoint and so on).

exit status: 0 done, 2 the input was wrong, 3 a step failed (see OUTPUT/preprocessing.log)
"""


def main(arguments: Sequence[str]) -> int:
    """Runs the data path; returns the exit status: 0 done, 2 wrong input, 3 a step failed."""
    return command_line.run_command(NAME, lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    values, beam_args = _parser().parse_known_args(arguments)
    given = vars(values)
    ingest_options = command_line.read_flags(IngestOptions, given)
    stage_options = command_line.read_flags(StageOptions, given)
    output = Path(values.output).absolute()
    with OutputCapture(enabled=not values.verbose) as capture:
        with capture.to_file(Path(os.devnull)):
            _check(ingest_options, beam_args, output)
        with _folder(output):
            try:
                with disk_full.naming(output), capture.to_file(output / LOG_FILE):
                    # Brings TensorFlow, which takes seconds and prints: not before the checks.
                    from preprocessing import data_path

                    resolved = _resolved(ingest_options)
                    text = json.dumps(resolved, indent=2)
                    (output / OPTIONS_FILE).write_text(text + "\n", encoding="utf-8")
                    lines = data_path.run(
                        IngestOptions(**resolved), stage_options, output, beam_args
                    )
            except Exception as error:
                if failures.input_error(error) is not None:
                    raise
                return _report_failure(error, None if values.verbose else output / LOG_FILE)
    for line in lines:
        print(one_line(line))
    return failures.DONE


def _report_failure(error: Exception, log: Path | None) -> int:
    """Says in one line why a step failed; the rest goes into the log, if there is one."""
    where = ""
    if log is None:
        traceback.print_exception(error)
    else:
        where = f"; log: {log}"
        # Where the disk is full, the line below has to do.
        with (
            contextlib.suppress(OSError),
            open(log, "a", encoding="utf-8", errors="backslashreplace") as file,
        ):
            traceback.print_exception(error, file=file)
    print(f"{NAME}: {one_line(failures.one_line(error))}{where}", file=sys.stderr)
    return failures.STEP_FAILED


def _check(options: IngestOptions, beam_args: list[str], output: Path) -> None:
    """Checks what can be known before anything is written.

    Raises:
      InputError: what is wrong.
    """
    if beam_args:
        from preprocessing import beam_arguments  # brings Beam

        own = (*IngestOptions.model_fields, *StageOptions.model_fields, "verbose")
        beam_arguments.check(beam_args, own)
    if storage.is_remote(options.path):
        storage.configure(beam_args)
    options.open()
    made_with = output / OPTIONS_FILE
    if made_with.exists():
        before = json.loads(made_with.read_text(encoding="utf-8"))
        now = _resolved(options)
        for name in sorted(now.keys() | before.keys()):
            if before.get(name) != now.get(name):
                raise InputError(
                    f"a folder holds the result of one source and its settings; choose another "
                    f"OUTPUT, or remove this one. Received: {output}, which was made with "
                    f"{name}={before.get(name)!r}, not {now.get(name)!r}"
                )


def _resolved(options: IngestOptions) -> dict[str, str | int | float | None]:
    """The options, with absolute paths."""
    values = options.model_dump()
    paths = {name: storage.absolute(values[name]) for name in ("path", "class_names_file")}
    return {**values, **paths}


@contextlib.contextmanager
def _folder(output: Path) -> Iterator[None]:
    """Makes the folder; takes it away again where bad input left nothing but the log in it."""
    new = not output.exists()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"OUTPUT must be a folder that can be written to. Received: {output} ({error.strerror})"
        ) from None
    try:
        yield
    except InputError:
        if new and {path.name for path in output.iterdir()} <= {LOG_FILE, OPTIONS_FILE}:
            shutil.rmtree(output)
        raise


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(
        prog=NAME,
        usage=f"{NAME} SOURCE OUTPUT [--FLAG VALUE]...",
        description="Makes TFRecords for a training of a corpus of images: reads, splits and "
        "normalises them, without TFX.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "path",
        metavar="SOURCE",
        help=" ".join((IngestOptions.model_fields["path"].description or "").split()),
    )
    parser.add_argument(
        "output",
        metavar="OUTPUT",
        help="folder of the results; given again, the command goes on where it stopped",
    )
    parser.add_argument(
        "--verbose", action="store_true", help="show what the libraries print, instead of a log"
    )
    command_line.add_flags(parser, IngestOptions, leave_out=("path",))
    command_line.add_flags(parser, StageOptions)
    return parser


if __name__ == "__main__":
    exit_status = main(sys.argv[1:])
    # The functions that a failed step leaves in TensorFlow complain of the end of Python.
    sys.unraisablehook = lambda _: None
    sys.exit(exit_status)
