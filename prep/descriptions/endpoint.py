"""An OpenAI-compatible endpoint, and texts about it without what must stay secret.

::

    https://user:password@host:8443/gate-3f9c/v1?token=...
            ^^^^^^^^^^^^^            ^^^^^^^^^        ^^^   told to the server alone, as the key is
                          ^^^^^^^^^                        all that messages and files tell
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

_SECRET_SIGNS = 8  # parts of an address this long may be secrets; "v1" and "openai" are none
_MASKED = re.compile(r"\S*\*{3,}\S*")  # "sk-ab******yz": servers show ends of the key they refuse


@dataclass(frozen=True)
class Endpoint:
    """Where to ask, whom, and with which key; neither key nor address shows in a text of it."""

    base_url: str = field(repr=False)
    model: str
    key: str = field(repr=False)
    key_from: str = "OPENAI_API_KEY"  # what a message calls it
    parallel: int = 8
    timeout_s: float = 120.0

    @property
    def host(self) -> str:
        """Host and port of the address."""
        return host(self.base_url)

    @property
    def address(self) -> str:
        """The address without its query: paths of requests are appended to it."""
        return urlunsplit(urlsplit(self.base_url)._replace(query="", fragment=""))

    @property
    def query(self) -> dict[str, str]:
        """The query of the address, which goes with every request."""
        return dict(parse_qsl(urlsplit(self.base_url).query))

    def is_told_in(self, text: str) -> bool:
        """Does a text hold the key, or another key that stands in the address?"""
        return any(secret in text for secret in self._keys())

    def clean(self, text: str) -> str:
        """One line without the key and the address, whoever put them there."""
        path = urlsplit(self.base_url).path.split("/")
        secrets = {*self._keys(), *(part for part in path if len(part) >= _SECRET_SIGNS)}
        for secret in sorted(secrets, key=len, reverse=True):
            for form in (secret, repr(secret)[1:-1]):
                text = text.replace(form, "[key]")
        text = "".join(sign if sign.isprintable() else " " for sign in _MASKED.sub("[key]", text))
        line = " ".join(text.split())
        return line if len(line) <= 200 else line[:199] + "…"

    def _keys(self) -> set[str]:
        login = urlsplit(self.base_url).netloc.rpartition("@")[0]
        words = [login, *login.split(":"), *self.query.values()]
        words += [unquote(word) for word in words]
        words += [base64.b64encode(word.encode()).decode() for word in (login, unquote(login))]
        return {word for word in words if len(word) >= _SECRET_SIGNS} | {self.key} - {""}


def host(base_url: str) -> str:
    """Host and port of an address, without user, path or query: these may hold secrets."""
    place = base_url.split("://", 1)[-1]
    for end in "/?#":
        place = place.split(end, 1)[0]
    return place.rsplit("@", 1)[-1]


def is_address(url: str) -> bool:
    """Is it the address of a server: http or https, a host, a port that there is?"""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that does not close
        return False
