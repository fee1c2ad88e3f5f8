"""The Lambda runtime API: what a `bootstrap` asks for its next event and sends its answers to.

See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. One listener serves one
execution environment, hence one invocation at a time.
"""

import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"


class RuntimeApi:
    """A listener; the environment puts an event in and waits for its answer."""

    def __init__(self, function_arn):
        self.function_arn = function_arn
        self.answers = queue.Queue()
        self.ready = threading.Event()
        self._events = queue.Queue()
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{self._server.server_port}"

    def send(self, request_id, payload, deadline):
        """Hands an event to the process, which waits for one or will."""
        self.ready.clear()
        self._events.put((request_id, payload, deadline))

    def next_event(self):
        self.ready.set()
        return self._events.get()

    def answer(self, request_id, body, failed):
        self.answers.put((request_id, body, failed))

    def close(self):
        """Frees the port and whoever waits for an event."""
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: RuntimeApi

    def log_message(self, *_):
        """Requests are no news."""

    def do_GET(self):
        if not self.path.endswith("/runtime/invocation/next"):
            return self._send(404)
        event = self.api.next_event()
        if event is None:
            self.close_connection = True
            return None
        request_id, payload, deadline = event
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.api.function_arn,
            "Lambda-Runtime-Trace-Id": TRACE,
        }
        return self._send(200, payload, headers)

    def do_POST(self):
        body = read_body(self)
        parts = self.path.split("?")[0].rsplit("/", 2)
        if parts[1:] == ["init", "error"]:
            self.api.answer(None, body, True)
        else:
            self.api.answer(parts[1], body, parts[2] == "error")
        self._send(202, b'{"status":"OK"}', {"Content-Type": "application/json"})

    def _send(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def read_body(handler):
    """The body of a request, be its length announced or be it sent in chunks."""
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    chunks = []
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        chunks.append(handler.rfile.read(size))
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass
    return b"".join(chunks)
