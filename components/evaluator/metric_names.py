"""Names that the evaluation config, the exported model and the verdict share."""

# Signatures of the exported model and the keys of their outputs (trainer_module/export.py).
EXAMPLES_SIGNATURE = "serving_examples"
LABELS_SIGNATURE = "eval_labels"
LABEL_KEY = "label_index"
PREDICTION_KEY = "probabilities"

TOP_1 = "top_1"
TOP_5 = "top_5"
EXAMPLE_COUNT = "example_count"
