"""An HTTP server on loopback that keeps what is sent to it, and answers as a test wants."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any


class Server:
    """A running server.

    Attributes:
      url: where it is.
      received: the path and the JSON body of each request that it answered.
    """

    def __init__(self, status: int, hangs: threading.Event | None):
        server, self.received = self, []  # type: Server, list[tuple[str, Any]]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hangs is not None:
                    hangs.wait()
                server.received.append((self.path, json.loads(body)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Tests have an output of their own."""

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@contextlib.contextmanager
def serving(status: int = 201, *, hanging: bool = False) -> Iterator[Server]:
    """Serves for as long as the block lasts.

    Args:
      status: of all answers.
      hanging: whether there is no answer.
    """
    end = threading.Event()
    server = Server(status, end if hanging else None)
    thread = threading.Thread(target=server.http.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        end.set()
        server.http.shutdown()
        thread.join()
        server.http.server_close()
