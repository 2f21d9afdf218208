"""Names of what is stored, properties and files of artifacts, for readers that do without TFX."""

# Custom property of all artifacts that were made on one machine: SHA-256 of their files.
CONTENT_FINGERPRINT = "content_fingerprint"
# The run whose execution made the artifact; later runs may have taken it from the cache.
MADE_IN_RUN = "made_in_run"
# Of a model: which steps of its training ran under which code, as in `1-20 3f2a1b4c9d0e5f6a`.
CODE_HISTORY = "code_history"

# Property of HorovodTrainer's executions: the settings that change neither weights nor output,
# which the cache's key leaves out.
JOB_CONFIG = "job_config"

# Files of artifacts that say when, where and how fast they were made: not part of their content.
RUN_FILES = (
    "config.json",
    "events.out.tfevents.*",
    "serving_check.json",
    "train_log.jsonl",
    "train_summary.json",
)
# What the serving check found, in ServingValidator's blessing.
SERVING_CHECK_FILE = "serving_check.json"

# Of a pushed model: what serves it beside the push folder, where, under which name of its own, for
# how many images its answers were compared, and their largest difference.
SERVED_BY = "served_by"
SERVED_AT = "served_at"
SERVED_REVISION = "served_revision"
SERVED_IMAGES = "served_images"
SERVED_DIFFERENCE = "served_max_difference"

# Of a training's run: images and the probabilities that the training path gives them.
PARITY_FILE = "parity.tfrecord"
