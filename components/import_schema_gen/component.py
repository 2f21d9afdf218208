"""Interface of the ImportSchemaGen component."""

from tfx.components.schema_gen.import_schema_gen import component

from components.import_schema_gen import driver


class ImportSchemaGen(component.ImportSchemaGen):
    """TFX's ImportSchemaGen, which copies a schema file into the pipeline.

    The driver puts the file's digest into the exec property `schema_sha256`, so that the cache
    sees a schema that was edited, and refuses a file that is no schema.
    """

    DRIVER_CLASS = driver.Driver
