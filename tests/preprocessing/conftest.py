"""The corpora, and Beam pipelines to read them with."""

from nasty_corpus import make_pipeline, nasty_content, nasty_corpus, small_corpus

__all__ = ["make_pipeline", "nasty_content", "nasty_corpus", "small_corpus"]
