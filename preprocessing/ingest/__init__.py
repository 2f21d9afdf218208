"""From a source to records, one per image, in split folders."""
