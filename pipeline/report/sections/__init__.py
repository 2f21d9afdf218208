"""The sections of a run's page: one module and one template each."""
