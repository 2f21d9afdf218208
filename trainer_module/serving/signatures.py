"""Names of the exported model's signatures, inputs and outputs; imports nothing."""

SERVING_DEFAULT = "serving_default"
SERVING_EXAMPLES = "serving_examples"
EMBEDDING = "embedding"  # also the name of its output
EVAL_LABELS = "eval_labels"
IMAGE_BYTES = "image_bytes"
EXAMPLES = "examples"
LABEL = "label"
PROBABILITIES = "probabilities"
TOP_K_LABELS = "top_k_labels"
TOP_K_PROBABILITIES = "top_k_probabilities"
LABEL_INDEX = "label_index"
