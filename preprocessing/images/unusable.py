"""The error of a picture that cannot be used, and the few reasons for it."""

# Reasons, by which a summary groups; details of the single file stand beside them.
EMPTY = "empty file"
UNKNOWN_FORMAT = "unknown format"
UNSUPPORTED = "unsupported format"
DAMAGED = "damaged or truncated"
TOO_LARGE = "too many pixels"


class UnusableImageError(Exception):
    """The picture cannot be used.

    Attributes:
      reason: one of the few reasons of this module.
      detail: what was wrong with this file, one line, may be empty. Of a damaged file it is the
        decoder's own sentence.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = " ".join(detail.split())
