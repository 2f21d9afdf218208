"""ImportSchemaGen: a schema that a person wrote."""
