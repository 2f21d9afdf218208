"""Files of records, their digests, and how results are published."""
