"""Names that our runs have in ML Metadata, for readers that do without TFX."""

# Types of contexts, as TFX names them.
PIPELINE_CONTEXT, RUN_CONTEXT, NODE_CONTEXT = "pipeline", "pipeline_run", "node"

# Custom properties of a run's context: where and by which process it runs.
OUTPUT_DIR, OUTPUT_ID, HOST, PID = "output_dir", "output_id", "host", "pid"
# When it last said that it lives, in ISO 8601 by its host's clock.
BEAT = "last_beat"

# What the local runner adds to executions.
CACHE_KEY = "cache_key"
# The name under which earlier versions stored what goes into the key.
CACHE_KEY_INPUTS = "cache_material"
# Why an execution ended that could not say so itself.
ENDED_BY = "ended_by"

# Of an artifact whose files were removed to free their room: when, in ISO 8601.
PRUNED = "pruned"

# Of what was imported from records: an execution's number in the store that it comes from, and
# when an artifact was made there, in ISO 8601.
IMPORTED_AS = "imported_as"
MADE = "made"
# Of a run's context: it started before others that the store had already.
IMPORTED_LATE = "imported_late"
