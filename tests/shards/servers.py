"""An S3 server in a process of its own, and a proxy before it that can misbehave."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BUCKET = "sets"
Fault = str | int | None  # "stall", "cut", "close", an HTTP status, or None: nothing wrong

_CODES = {403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown"}


@dataclass(frozen=True)
class Request:
    """What a client asked for: ``GET /sets/custom/shards/all-00000.tar``, bytes first..last."""

    method: str
    path: str
    span: tuple[int, int] | None

    @property
    def bytes(self) -> int:
        """Bytes of the range."""
        return self.span[1] - self.span[0] + 1 if self.span else 0


@dataclass
class Proxy:
    """Passes requests on; ``fault`` says what goes wrong with each, ``log`` what was asked."""

    url: str
    fault: Callable[[Request], Fault] = lambda request: None
    log: list[Request] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def reads(self, part: str) -> list[Request]:
        """The GETs of paths that hold a word."""
        return [r for r in self.log if r.method == "GET" and part in r.path]


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Address of a moto server with one empty bucket; ended with the block."""
    port = free_port()
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, env=_plain_environment(), **quiet)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                put(f"{url}/{BUCKET}", b"")
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _plain_environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}


def upload(url: str, folder: Path, name: str | None = None) -> None:
    """Put a folder's files under ``/<bucket>/<name>/``, by default under the folder's name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            place = path.relative_to(folder).as_posix()
            put(f"{url}/{BUCKET}/{name or folder.name}/{place}", path.read_bytes())


def put(url: str, data: bytes) -> None:
    """One PUT request, as boto3 would sign it for a server that looks at the key only."""
    sign = (
        "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, "
        "SignedHeaders=host, Signature=0"
    )
    request = urllib.request.Request(url, data=data, method="PUT")
    request.add_header("Authorization", sign)
    request.add_header("x-amz-acl", "public-read")
    request.add_header("Content-Type", "application/octet-stream")
    with urllib.request.urlopen(request, timeout=10) as answer:
        answer.read()


@contextlib.contextmanager
def proxy_before(upstream: str) -> Iterator[Proxy]:
    """A proxy on loopback that passes everything on until it is told otherwise."""
    host = upstream.partition("://")[2]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            request = Request(self.command, self.path, _span(self.headers.get("Range")))
            proxy.log.append(request)
            fault = proxy.fault(request)
            self.close_connection = fault is not None
            if fault == "stall":
                proxy.released.wait(60)
            elif isinstance(fault, int):
                code = _CODES.get(fault, "Fault")
                self._answer(fault, f"<Error><Code>{code}</Code></Error>".encode())
            elif fault != "close":
                self._pass_on(cut=fault == "cut")

        do_GET = do_HEAD = do_PUT = handle_any

        def _pass_on(self, cut: bool) -> None:
            connection = http.client.HTTPConnection(host, timeout=30)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            skipped = ("transfer-encoding", "connection", "server", "date", "content-length")
            for name, value in answer.getheaders():
                if name.lower() not in skipped:
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else len(data)
            self.send_header("Content-Length", str(length or 0))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if cut else data)
            connection.close()

        def _answer(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *words: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.released.set()
        server.shutdown()
        server.server_close()


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _span(text: str | None) -> tuple[int, int] | None:
    if not text:
        return None
    first, _, last = text.removeprefix("bytes=").partition("-")
    return int(first), int(last)
