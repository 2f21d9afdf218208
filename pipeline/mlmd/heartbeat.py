"""A run says every minute in ML Metadata that it lives: other hosts see by it when it is dead."""

import contextlib
import logging
import threading
from collections.abc import Iterator

from ml_metadata.errors import StatusError
from ml_metadata.proto import metadata_store_pb2

from pipeline.mlmd import liveness, names
from pipeline.mlmd.away import Patience, StoreAwayError
from pipeline.mlmd.patient_store import PatientStore
from pipeline.store_uri import StoreUri

BEAT_SECS = 60.0


@contextlib.contextmanager
def beating(uri: StoreUri, run_id: str, every_secs: float = BEAT_SECS) -> Iterator[None]:
    """Says inside of the block that a run lives, from a thread.

    A store that is away is no reason to end; the next beat tries again.

    Args:
      uri: where ML Metadata is.
      run_id: the run, which is in it.
      every_secs: how often.
    """
    ended = threading.Event()

    def beat() -> None:
        while True:
            try:
                say(uri, run_id)
            except (StoreAwayError, StatusError) as error:
                logging.warning("the run could not say that it lives: %s", error)
            if ended.wait(every_secs):
                return

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        # Not without a bound: a store that is away must not hold up Ctrl-C.
        thread.join(timeout=1.0)


def say(uri: StoreUri, run_id: str) -> None:
    """Says once that a run lives.

    Raises:
      StoreAwayError: the store is away.
    """
    # A connection of its own, since those of the run are not made for threads.
    store = PatientStore(uri, Patience(0.0))
    run = store.get_context_by_type_and_name(names.RUN_CONTEXT, run_id)
    if run is None:
        raise ValueError(f"ML Metadata has no run {run_id!r}")
    said = metadata_store_pb2.Context(id=run.id, type_id=run.type_id, name=run.name)
    said.custom_properties[names.BEAT].string_value = liveness.beat_now()
    # This property alone: the run writes the others, maybe right now.
    store.put_contexts([said], field_mask_paths=[f"custom_properties.{names.BEAT}"])
