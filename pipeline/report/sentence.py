"""What became of a run, in a sentence or two of plain words."""

from pathlib import Path

from pipeline.report import summary as summary_lib
from pipeline.report.reported_run import ReportedRun


def sentence(run: ReportedRun) -> str:
    """What happened, for who reads nothing else of the page."""
    status = run.summary["status"]
    if status == summary_lib.FAILED:
        why = _ended(run.summary["verdict"])
        return f"The run stopped with an error: {why} Nothing was published."
    if status == summary_lib.PARTIAL:
        ended = _ended(run.summary["verdict"].removeprefix("partial run, "))
        return f"Only a part of the pipeline was run, {ended}{_cached(run)}"
    measured = _measured(run)
    if status == summary_lib.PUSHED:
        version = Path(run.summary["pushed_to"]).name
        override = run.judged.override if run.judged is not None else None
        if override is not None:
            return (
                f"{measured} The gate refused the model, but {override.user} decided to serve it, "
                f"as version {version}: {_ended(override.reason)}{_cached(run)}"
            )
        return f"{measured} It passed all checks and is served as version {version}.{_cached(run)}"
    return f"{measured} It is not served: {_ended(_refusal(run))}{_cached(run)}"


def _measured(run: ReportedRun) -> str:
    top_1 = run.summary["top_1"]
    if run.judged is None or top_1 is None:
        return "A model was trained, but not evaluated."
    metrics = run.judged.metrics
    count = f"{metrics['example_count']:,.0f} evaluation images"
    interval = metrics.get("top_1_interval")
    between = (
        f" (between {_percent(interval[0])} and {_percent(interval[1])} of all such images, with "
        f"{100 * run.judged.confidence:g} % confidence)"
        if interval
        else ""
    )
    classes = f" of {len(run.class_names):,} classes" if run.class_names else ""
    return f"The model recognises {_percent(top_1)} of {count}{classes}{between}."


def _refusal(run: ReportedRun) -> str:
    """Why the model was not published."""
    failed = [rule.text for rule in run.judged.rules if not rule.passed] if run.judged else []
    if failed:
        more = f", and {len(failed) - 1} more rules of the gate" if len(failed) > 1 else ""
        return f"the gate refused it ({failed[0]}{more})"
    check = run.serving_check
    if check is not None and not check["blessed"]:
        return f"it failed the serving check ({check['reason']})"
    return run.summary["verdict"]


def _cached(run: ReportedRun) -> str:
    """What did not have to be computed again."""
    states = [result.state for result in run.results]
    cached = states.count("cached")
    if not cached:
        return ""
    if cached == len(states):
        return " Nothing had changed since an earlier run: all of its results were taken over."
    return f" {cached} of {len(states)} steps were taken over from earlier runs."


def _percent(share: float) -> str:
    """Never rounded up to all, nor down to none."""
    text = f"{100 * share:.1f}"
    if text == "100.0" and share < 1:
        return "over 99.9 %"
    return f"{text.removesuffix('.0')} %"


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
