"""Names of metrics that the evaluation config, the metric and the verdict share."""

TOP_1 = "top_1"
TOP_5 = "top_5"
LOSS = "loss"
CALIBRATION_ERROR = "expected_calibration_error"
EXAMPLE_COUNT = "example_count"
UNANSWERED = "unanswered"
# Arrays of exact counts, from which intervals and paired tests are made.
TALLY = "tally"
PAIRS = "pairs"
CONFUSION = "multi_class_confusion_matrix_plot"
