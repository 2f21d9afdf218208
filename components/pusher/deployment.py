"""What brings a pushed version to a server that does not look into the push folder by itself."""

import dataclasses
from collections.abc import Callable

from components import stored_names


@dataclasses.dataclass(frozen=True)
class Pushed:
    """A version that is to be served.

    Attributes:
      options: of what serves it, as JSON.
      version: its number.
      parity_file: TFRecord with `image/encoded` and `probabilities` a record.
      withdraw: takes it out of the push folder again, where this push has brought it there. Called
        before anything else is served again, which would find it there.
    """

    options: str
    version: int
    parity_file: str
    withdraw: Callable[[], None]


@dataclasses.dataclass(frozen=True)
class Deployment:
    """A version that a server has taken over.

    Attributes:
      service: what serves it, as in `kserve:NAMESPACE/NAME`.
      endpoint: URL at which it is asked.
      revision: the server's own name of the version.
      images: number of images whose answers were compared.
      max_difference: largest difference of a probability to the training path.
    """

    service: str
    endpoint: str
    revision: str
    images: int
    max_difference: float

    def properties(self) -> dict[str, str | int | float]:
        """The custom properties of the `PushedModel` that say so."""
        return {
            stored_names.SERVED_BY: self.service,
            stored_names.SERVED_AT: self.endpoint,
            stored_names.SERVED_REVISION: self.revision,
            stored_names.SERVED_IMAGES: self.images,
            stored_names.SERVED_DIFFERENCE: self.max_difference,
        }


# By kind of server; programs that can talk to one add it: components know nothing of clusters.
DEPLOYERS: dict[str, Callable[[Pushed], Deployment]] = {}
KSERVE = "kserve"
