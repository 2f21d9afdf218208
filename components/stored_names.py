"""Names of custom properties of artifacts, for readers that do without TFX."""

# Of all artifacts that were made on one machine: SHA-256 of their files.
CONTENT_FINGERPRINT = "content_fingerprint"
# The run whose execution made the artifact; later runs may have taken it from the cache.
MADE_IN_RUN = "made_in_run"
