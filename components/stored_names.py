"""Names of properties of artifacts and of files in them, for readers that do without TFX."""

# Custom property of all artifacts that were made on one machine: SHA-256 of their files.
CONTENT_FINGERPRINT = "content_fingerprint"
# The run whose execution made the artifact; later runs may have taken it from the cache.
MADE_IN_RUN = "made_in_run"

# What the serving check found, in ServingValidator's blessing.
SERVING_CHECK_FILE = "serving_check.json"
