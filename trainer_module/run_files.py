"""Names of files in a training's folder; needs no TensorFlow."""

LOG_FILE = "train_log.jsonl"
SUMMARY_FILE = "train_summary.json"
