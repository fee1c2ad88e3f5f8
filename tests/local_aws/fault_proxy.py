"""An HTTP/1.1 proxy in front of S3 that makes chosen requests fail in a chosen way.

The Host header is passed on as it is, so that signatures made for the proxy's address stay valid.
Bodies are streamed in both directions.
"""

import collections
import http.client
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse

PIECE = 64 * 1024
FAULTS = {"status", "delay", "hold", "reset", "truncate", "stall", "lost_reply", "corrupt"}
LONGEST_HOLD = 60
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}


@dataclass
class Rule:
    """Which requests fail, and how."""

    fault: str
    method: str | None = None
    path: str = ""
    range: str = ""
    times: int | None = 1
    options: dict = field(default_factory=dict)

    def takes(self, method, path, range_):
        right_method = self.method in (None, method)
        right_bytes = re.search(self.path, path) and re.search(self.range, range_)
        return self.times != 0 and right_method and right_bytes


class FaultProxy:
    """A proxy for as long as the `with` lasts; its address is `endpoint`.

    `fail` adds a rule, the first that matches is used. The faults, with their options:

    status      an error answer: status=503, code="SlowDown"
    delay       seconds=1.0, then all goes well
    hold        the same, when `release` is called
    reset       the connection is reset before an answer
    truncate    the body of the answer is cut after bytes=N, then the connection is reset
    stall       after bytes=N of the answer's body nothing comes for seconds=N, then a reset
    lost_reply  the work is done, and the connection reset instead of an answer
    corrupt     one byte of the answer's body is changed: at=N
    """

    def __init__(self, upstream, handler=None):
        self.upstream = urlparse(upstream).netloc
        self.counts = collections.Counter()
        self.requests = []
        self.ranges = []
        self._rules = []
        self._lock = threading.Lock()
        self._released = threading.Event()
        handler = type("Handler", (handler or Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def fail(self, fault, method=None, path="", times=1, range="", **options):
        """Makes the next `times` requests fail (None: all) of this method and this path's regex.

        A path has its query; that of the AWS SDK for Rust ends in `x-id=GetObject`. `range` is a
        regex for the Range header, which is empty where all of an object is asked for.
        """
        if fault not in FAULTS:
            raise ValueError(f"{fault} is none of {sorted(FAULTS)}")
        if fault == "hold":
            self._released.clear()
        with self._lock:
            self._rules.append(Rule(fault, method, path, range, times, options))

    def wait_for_release(self):
        self._released.wait(LONGEST_HOLD)

    def release(self):
        """Lets requests go on that are held."""
        self._released.set()

    def clear(self):
        """Forgets all rules and counts."""
        with self._lock:
            self._rules.clear()
            self.counts.clear()
            self.requests.clear()
            self.ranges.clear()

    def count(self, fault):
        """How many requests got a fault; those that got none are under "passed"."""
        with self._lock:
            return self.counts[fault]

    def gets(self, path):
        """The Range headers of the GETs of a path's regex, in order of their arrival."""
        with self._lock:
            requests = zip(self.requests, self.ranges)
            return [range_ for (method, asked, _), range_ in requests
                    if method == "GET" and re.search(path, asked)]  # fmt: skip

    def pick(self, method, path, range_):
        """The rule for a request, one use of which is then gone, or None."""
        with self._lock:
            rule = next((rule for rule in self._rules if rule.takes(method, path, range_)), None)
            if rule is not None and rule.times is not None:
                rule.times -= 1
            fault = rule.fault if rule else "passed"
            self.counts[fault] += 1
            self.requests.append((method, path, fault))
            self.ranges.append(range_)
            return rule


class Handler(BaseHTTPRequestHandler):
    """Passes a request on, and its answer back."""

    protocol_version = "HTTP/1.1"
    timeout = 120
    proxy: FaultProxy

    def log_message(self, *_):
        """Requests are counted, not printed."""

    def handle_any(self):
        rule = self.proxy.pick(self.command, self.path, self.headers.get("Range", ""))
        fault = rule.fault if rule else None
        options = rule.options if rule else {}
        if fault == "delay":
            time.sleep(options.get("seconds", 1.0))
        if fault == "hold":
            self.proxy.wait_for_release()
        if fault in ("status", "reset"):
            for _ in self._body():
                pass
            if fault == "reset":
                return self._reset()
            return self._error(options.get("status", 503), options.get("code", "SlowDown"))
        answer = self._forward()
        if fault == "lost_reply":
            answer.read()
            return self._reset()
        try:
            return self._reply(answer, fault, options)
        except ConnectionError:
            # Whoever asked has enough.
            self.close_connection = True
            return None

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

    def _body(self):
        """The pieces of the request's body."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0 and (piece := self.rfile.read(min(left, PIECE))):
            left -= len(piece)
            yield piece

    def _forward(self):
        upstream = http.client.HTTPConnection(self.proxy.upstream, timeout=120)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP | {"expect"}:
                upstream.putheader(name, value)
        chunked = "Content-Length" not in self.headers and self.command in ("PUT", "POST")
        if chunked:
            upstream.putheader("Transfer-Encoding", "chunked")
        upstream.endheaders()
        for piece in self._body():
            upstream.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            upstream.send(b"0\r\n\r\n")
        return upstream.getresponse()

    def _reply(self, answer, fault, options):
        length = answer.getheader("Content-Length")
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if length is None and self.command != "HEAD":
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        size = int(length or 0)
        cut = options.get("bytes", size // 2) if fault in ("truncate", "stall") else None
        flip = options.get("at", size // 2) if fault == "corrupt" else None
        sent = 0
        while piece := answer.read(PIECE):
            if flip is not None and sent <= flip < sent + len(piece):
                piece = _flipped(piece, flip - sent)
            if cut is not None and sent + len(piece) > cut:
                self.wfile.write(piece[: cut - sent])
                self.wfile.flush()
                if fault == "stall":
                    time.sleep(options.get("seconds", 1.0))
                return self._reset()
            self.wfile.write(piece)
            sent += len(piece)
        return None

    def _error(self, status, code):
        body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>injected</Message></Error>'
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    def _reset(self):
        """Closes the connection with a RST, as a host does that has lost it."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The request's files keep the socket open; only the last close sends the RST.
        self.rfile.close()
        self.connection.close()
        self.close_connection = True


def _flipped(piece, index):
    changed = bytearray(piece)
    changed[index] ^= 0x55
    return bytes(changed)
