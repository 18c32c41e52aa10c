"""What a remote system answered, and what of it can be shown to people."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec

from zimun_sync.errors import SinkUnavailable
from zimun_sync.network.remarks import without

_LONGEST_REMARK: Final = 500
#: Most of a body that a remark is taken from, bytes: no page says it later than that.
_READ_FOR_REMARK: Final = 32 * 1024

_HIDDEN = re.compile(r"<(script|style)\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: 2xx, 3xx, or a 4xx that the connector judges.

    Args:
        status: the HTTP status.
        headers: by lower-case name.
        body: as it came, decompressed.
        call: method, path and host of what was answered, for messages.
        secrets: credentials that were sent; no remark repeats them.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    call: str = "The call"
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            SinkUnavailable: it is none (a proxy's page, a cut connection).
        """
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SinkUnavailable(
                f"{self.call} was answered {self.status} with something that is not JSON.",
                hint="Check that the address leads to the system itself and not to a proxy or a "
                "login page; it is tried again by itself.",
            ) from error

    def remark(self) -> str:
        """What the body says, on one line of at most 500 characters, markup taken out."""
        text = self.body[:_READ_FOR_REMARK].decode(errors="replace")
        if self._is_markup(text):
            for unseen in (_HIDDEN, _COMMENT, _TAG):
                text = unseen.sub(" ", text)
            text = html.unescape(text)
        line = without(" ".join(text.split()), self.secrets)
        return "".join(mark for mark in line if mark.isprintable())[:_LONGEST_REMARK]

    def _is_markup(self, text: str) -> bool:
        kind = self.headers.get("content-type", "").partition(";")[0].lower()
        return kind.endswith(("html", "xml")) or text.lstrip().startswith("<")
