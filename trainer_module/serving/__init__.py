"""The exported model: signatures, files and variants."""
