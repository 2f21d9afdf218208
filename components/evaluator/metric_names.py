"""Names of metrics that the evaluation config and the verdict share."""

TOP_1 = "top_1"
TOP_5 = "top_5"
EXAMPLE_COUNT = "example_count"
