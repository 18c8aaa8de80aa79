"""As much of the Hugging Face Hub as reading a dataset repository takes, on loopback."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REPOSITORY = "user/name"
_HASH = "0" * 40


@contextlib.contextmanager
def hub_of(folder: Path) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Address of a Hub with one repository that holds a folder's files, and what it was asked."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, span = self.path.partition("?")[0], self.headers.get("Range")
            asked.append((path, span))
            api = f"/api/datasets/{REPOSITORY}"
            if path in (api, f"{api}/revision/main"):
                self._say({"id": REPOSITORY, "sha": _HASH, "siblings": [], "tags": []})
            elif path.startswith(f"{api}/tree/main/"):
                self._list(folder / path.removeprefix(f"{api}/tree/main/").replace("%2F", "/"))
            elif path.startswith(f"/datasets/{REPOSITORY}/resolve/main/"):
                self._send(folder / path.partition("/resolve/main/")[2], span)
            else:
                self._say({}, 404)

        def _list(self, place: Path) -> None:
            if place.is_dir():
                self._say([_entry(path, folder) for path in sorted(place.iterdir())])
            else:
                self._say({}, 404, code="EntryNotFound")

        def _send(self, path: Path, span: str | None) -> None:
            if not path.is_file():
                self._say({}, 404, code="EntryNotFound")
                return
            data = path.read_bytes()
            if span:
                first, last = span.removeprefix("bytes=").split("-")
                data = data[int(first) : int(last) + 1]
            self._answer(206 if span else 200, data)

        def _say(self, content: Any, status: int = 200, code: str = "RepoNotFound") -> None:
            self._answer(status, json.dumps(content).encode(), code if status == 404 else None)

        def _answer(self, status: int, data: bytes, code: str | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if code:
                self.send_header("X-Error-Code", code)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *words: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def _entry(path: Path, folder: Path) -> dict[str, Any]:
    kind, size = ("directory", 0) if path.is_dir() else ("file", path.stat().st_size)
    return {"type": kind, "path": path.relative_to(folder).as_posix(), "size": size, "oid": _HASH}
