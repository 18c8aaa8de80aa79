"""A small real HTTP server that speaks the chat form of an OpenAI-compatible endpoint.

What it answers is a function of the question and of how often it was asked before, so a test can
let it fail in any way first. It counts everything.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request: the question, how many came before it with the same, and what it held."""

    prompt: str
    before: int
    model: str
    authorization: str
    path: str


@dataclass(frozen=True)
class Reply:
    """Text of a chat answer; or another status and body; or a body cut off; after a while."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    cut: bool = False
    wait_s: float = 0.0
    finish: str = "stop"

    @property
    def payload(self) -> bytes:
        """Bytes of the body."""
        if self.body is not None:
            return self.body.encode()
        message = {"role": "assistant", "content": self.text}
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        answer = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
        return json.dumps({**answer, "choices": [choice]}).encode()


class Server:
    """What a running server was asked, and when."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.lock = threading.Lock()
        self.asked: list[Asked] = []
        self.times: dict[str, list[float]] = {}
        self.at_once = self.most_at_once = 0

    @property
    def counts(self) -> Counter[str]:
        """How often each question was asked."""
        return Counter(item.prompt for item in self.asked)

    def enter(self, body: dict[str, Any], authorization: str, path: str) -> Asked:
        with self.lock:
            prompt = body["messages"][-1]["content"]
            asked = Asked(prompt, self.counts[prompt], body["model"], authorization, path)
            self.asked.append(asked)
            self.times.setdefault(prompt, []).append(time.monotonic())
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            return asked

    def leave(self) -> None:
        with self.lock:
            self.at_once -= 1


@contextlib.contextmanager
def serving(answer: Callable[[Asked], Reply]) -> Iterator[Server]:
    """A server on a free port of this machine while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            said_by = self.headers.get("authorization", "")
            asked = server.enter(json.loads(data), said_by, self.path)
            try:
                path = self.path.split("?")[0]
                known = "/v1/" in path and path.endswith("/chat/completions")
                self.reply(answer(asked) if known else Reply(status=404, body="not here"))
            finally:
                server.leave()

        def reply(self, reply: Reply) -> None:
            time.sleep(reply.wait_s)
            payload = reply.payload
            with contextlib.suppress(OSError):  # whoever asked may be gone by now
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload[: len(payload) // 2] if reply.cut else payload)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    class Http(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64  # the default of 5 drops connections of an eager client

    http = Http(("127.0.0.1", 0), Handler)
    server = Server(f"http://127.0.0.1:{http.server_address[1]}/v1")
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def good(asked: Asked) -> Reply:
    """Two sentences of the asked form, other ones for every question."""
    first, second = sentences(asked.prompt)
    return Reply(f"1. {first}\n2. {second}")


def sentences(prompt: str) -> tuple[str, str]:
    """The two sentences that ``good`` gives to a question."""
    about = prompt.split("the action ", 1)[1].rstrip(".")
    if "visual appearance" in prompt:
        return f"A video about {about}, near.", f"A video about {about}, from afar."
    head = f"A video of {about} generally involves the following step:"
    return f"{head} it begins, which is a sub-step.", f"{head} it ends, which is a sub-step."
