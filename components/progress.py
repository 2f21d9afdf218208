"""How a component tells how far it is: log records that any edge may show.

The local runner turns them into a progress bar; on a cluster they are plain log lines.
"""

import logging

LOGGER_NAME = "effnet.progress"


def report(text: str, fraction: float | None = None) -> None:
    """Reports progress.

    Args:
      text: what is going on, one short line.
      fraction: how much is done, 0 to 1, or None where that is not known.
    """
    logging.getLogger(LOGGER_NAME).info(text, extra={"fraction": fraction})
