"""Ranged requests to an object store or a web server, tried again with growing pauses.

::

    s3://bucket/sets/ucf101      s3fs (extra ``remote``); AWS_ENDPOINT_URL names another server
    https://host/sets/ucf101     aiohttp (extra ``remote``); the server must know ranges
    hf://datasets/user/set       the same, where the Hub keeps the files; huggingface_hub finds them

A request that stalls ends after ``Patience.request_s``; what a server refuses for good (absent,
forbidden) is told at once, everything else is tried ``attempts`` times.
"""

from __future__ import annotations

import errno
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import fsspec
from fsspec.asyn import AsyncFileSystem, sync

from manifests.errors import UserError

T = TypeVar("T")

_PACKAGES = {"s3": "s3fs", "http": "aiohttp", "https": "aiohttp", "hf": "aiohttp"}


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for."""

    request_s: float = 30.0
    """Time limit of one request, seconds."""
    attempts: int = 6
    """Requests for the same bytes before giving up."""
    pause_s: float = 0.5
    """Seconds before the second attempt; each later pause is twice as long."""


class Remote:
    """A folder that lies elsewhere, read from any number of threads."""

    def __init__(self, url: str, patience: Patience) -> None:
        """url: ``s3://``, ``https://``, ``http://`` or ``hf://``.

        Raises UserError when the kind is another one or its package is not installed.
        """
        self.url = url.rstrip("/")
        kind = self.url.partition("://")[0]
        if kind not in _PACKAGES:
            raise UserError(
                f"{url}: shards are read from {', '.join(f'{k}://' for k in _PACKAGES)}"
            )
        if importlib.util.find_spec(_PACKAGES[kind]) is None:
            raise UserError(f"{kind}:// needs {_PACKAGES[kind]}: install actionshards[remote]")
        self._patience = patience
        self._lists, self._folder = fsspec.core.url_to_fs(self.url, **_options(kind, patience))
        self._fs, self._root = self._lists, self._folder
        if kind == "hf":
            self._fs, self._root = self._hub()
        if kind == "s3":
            self._fs.retries = 1  # ours are the ones that count

    def read(self, name: str, start: int | None = None, stop: int | None = None) -> bytes:
        """Bytes start..stop of a file, all of it by default; fewer where it ends.

        Raises FileNotFoundError when there is no such file, UserError when it cannot be had.
        """
        data = self._patiently(name, lambda: self._get(name, start, stop))
        if start is not None and stop is not None and len(data) > stop - start:
            raise UserError(
                f"{self.url}/{name}: the server sends whole files where a range was asked for; "
                "serve the shards from one that knows ranges (S3, nginx)"
            )
        return data

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted; none where it is absent or may not be listed."""

        def look() -> list[str]:
            try:
                found = self._call(self._lists, "ls", f"{self._folder}/{folder}", detail=False)
            except PermissionError:
                return []
            return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found)

        try:
            return self._patiently(folder, look)
        except (FileNotFoundError, NotImplementedError):
            return []

    def _get(self, name: str, start: int | None, stop: int | None) -> bytes:
        path = f"{self._root}/{name}"
        try:
            data: bytes = self._call(self._fs, "cat_file", path, start=start, end=stop)
        except Exception as error:
            if _is_beyond_the_end(error):
                return b""
            raise
        return data

    def _call(self, fs: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        if isinstance(fs, AsyncFileSystem):
            work, limit = getattr(fs, f"_{method}"), self._patience.request_s
            return sync(fs.loop, work, *args, timeout=limit, **kwargs)
        return getattr(fs, method)(*args, **kwargs)  # the Hub's, with time limits of its own

    def _hub(self) -> tuple[Any, str]:
        """The Hub's files by HTTP: its own file system asks four questions before each range."""
        from huggingface_hub.utils import build_hf_headers

        try:
            file = self._patiently("x", lambda: str(self._lists.url(f"{self._folder}/x")))
        except FileNotFoundError:
            raise UserError(
                f"{self.url}: there is no such repository, or it is not for you: mend the address, "
                "or log in with `hf auth login`"
            ) from None
        headers = {k: v for k, v in build_hf_headers().items() if k == "authorization"}
        options = {"client_kwargs": {"headers": headers}, "skip_instance_cache": True}
        fs, _ = fsspec.core.url_to_fs(file, **options)
        return fs, file.rpartition("/")[0]

    def _patiently(self, name: str, request: Callable[[], T]) -> T:
        began, patience = time.monotonic(), self._patience
        for attempt in range(patience.attempts):
            try:
                return request()
            except (FileNotFoundError, NotImplementedError):
                raise
            except Exception as error:
                if _is_final(error) or attempt + 1 == patience.attempts:
                    spent = time.monotonic() - began
                    raise self._failure(name, error, attempt + 1, spent) from error
            time.sleep(patience.pause_s * 2**attempt)
        raise AssertionError("no attempt was made")

    def _failure(self, name: str, error: Exception, attempts: int, seconds: float) -> UserError:
        tried = "" if attempts == 1 else f" ({attempts} attempts in {seconds:.0f} s)"
        advice = (
            "mend the credentials or the address"
            if _is_final(error)
            else "mend the network or the server"
        )
        return UserError(
            f"{self.url}/{name}: {self._reason(error)}{tried}; {advice} and run the same command "
            "again (a training run: with --resume)"
        )

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
            return f"no answer within {self._patience.request_s:g} s"
        status = _status(error)
        text = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
        text = " ".join(str(text).split()) or type(error).__name__
        return f"{status} {text}" if status else text[:300]


def _options(kind: str, patience: Patience) -> dict[str, Any]:
    if kind == "s3":
        limits = {"connect_timeout": patience.request_s, "read_timeout": patience.request_s}
        config = {**limits, "retries": {"total_max_attempts": 1, "mode": "standard"}}
        return {"config_kwargs": config, "skip_instance_cache": True}
    if kind in ("http", "https"):
        return {"skip_instance_cache": True}
    return {}


def _status(error: Exception) -> int:
    """HTTP status that aiohttp, or the Hub's client, tells; 0 for none."""
    response = getattr(error, "response", None)
    status = getattr(error, "status", None) or getattr(response, "status_code", None)
    return status if isinstance(status, int) else 0


def _is_final(error: Exception) -> bool:
    """Whether the same request would be refused again."""
    if isinstance(error, PermissionError | ValueError | ImportError):
        return True
    if "Credential" in type(error).__name__:
        return True
    status = _status(error)
    return 400 <= status < 500 and status not in (408, 425, 429)


def _is_beyond_the_end(error: Exception) -> bool:
    """The answer to a range that starts where the file has ended: HTTP 416."""
    if _status(error) == 416:
        return True
    cause = getattr(error.__cause__, "response", None)
    code = cause.get("Error", {}).get("Code") if isinstance(cause, dict) else None
    return isinstance(error, OSError) and error.errno == errno.EINVAL and code == "InvalidRange"
