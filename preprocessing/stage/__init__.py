"""The Beam stage that turns ingested records into a dataset."""
