"""ExampleValidator: what is unusual about the images' sizes, formats and classes."""
