"""The sections of the page, in the order in which they are read."""

from pipeline.report.section import Section
from pipeline.report.sections import (
    anomalies,
    calibration,
    classes,
    confusion,
    copies,
    examples,
    graph,
    label_errors,
    mistakes,
    near_duplicates,
    nodes,
    quarantine,
    result,
    serving,
    settings,
    slices,
    training,
    worse_slices,
)

SECTIONS = (
    Section("result", "Result", result.view),
    Section("graph", "How it was made", graph.view),
    Section("nodes", "Time and memory of the nodes", nodes.view),
    Section("serving", "Serving", serving.view),
    Section("training", "Training", training.view),
    Section("worse_slices", "Slices that got worse", worse_slices.view),
    Section("classes", "Classes, the worst first", classes.view),
    Section("slices", "Slices, the worst first", slices.view),
    Section("calibration", "Calibration", calibration.view),
    Section("confusion", "Confusion matrix", confusion.view),
    Section("mistakes", "Most confident mistakes", mistakes.view),
    Section("label_errors", "Suspected label errors", label_errors.view),
    Section("examples", "Examples of each class", examples.view),
    Section("anomalies", "Unusual about the images", anomalies.view),
    Section("copies", "Copies", copies.view),
    Section("near_duplicates", "Near-duplicates in both splits", near_duplicates.view),
    Section("quarantine", "Quarantine", quarantine.view),
    Section("settings", "Settings", settings.view),
)
