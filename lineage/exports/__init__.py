"""A run in the formats of others: OpenLineage, a model card, Croissant, MLflow."""
