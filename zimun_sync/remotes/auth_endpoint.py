"""A token endpoint (RFC 6749 §5): what is sent to it, and what its answers mean."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import msgspec

from zimun_sync.errors import SinkBroken, SinkUnavailable
from zimun_sync.network.credentials import fits_in_header, used_for
from zimun_sync.network.reach import Reach
from zimun_sync.network.remarks import remark
from zimun_sync.remotes.answers import Answer
from zimun_sync.remotes.exchange import DEFAULT_HEADERS, Exchange, refuse_if_busy, unsendable

#: Errors that pass by themselves, whatever their status.
_PASSING: Final = {"temporarily_unavailable", "server_error", "slow_down"}


class _Token(msgspec.Struct):
    """RFC 6749 §5.1; `expires_in` is in seconds."""

    access_token: str
    expires_in: float | None = None


class _Refusal(msgspec.Struct):
    """RFC 6749 §5.2."""

    error: str = ""


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Where tokens are fetched.

    Args:
        url: its address.
        deadline: seconds within which a request for one must be over.
        lifetime: seconds that a token lives, where the endpoint does not say; None: it is
            used until it is refused.
        monotonic: seconds that never go back, which lifetimes are measured by.
        clock: seconds since the epoch.
        reach: how far requests may go.
    """

    url: str
    deadline: float = 30.0
    lifetime: float | None = None
    monotonic: Callable[[], float] = time.monotonic
    clock: Callable[[], float] = time.time
    reach: Reach = Reach.PUBLIC

    def fetch(
        self, form: Mapping[str, str], headers: Mapping[str, str], secrets: Collection[str]
    ) -> "Fetched":
        """Ask for a token.

        Args:
            form: what the grant sends.
            headers: what proves who the client is, where the form does not.
            secrets: values that no message may repeat.

        Raises:
            SinkUnavailable: the endpoint cannot be reached, or is busy.
            SinkBroken: it refused the credentials.
        """
        asked = self.monotonic()
        answer = _post(self, form, headers, (*secrets, *headers.values()))
        refuse_if_busy(answer)
        if not answer.ok:
            raise _refusal(answer)
        token = _token(answer)
        used = used_for(self.lifetime if token.expires_in is None else token.expires_in)
        return Fetched(answer.json(), None if used is None else asked + used)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A token.

    Args:
        answer: all that came with it.
        until: when it is to be replaced, by the endpoint's monotonic clock; None: unknown.
    """

    answer: Mapping[str, Any]
    until: float | None


def _post(
    endpoint: TokenEndpoint,
    form: Mapping[str, str],
    given: Mapping[str, str],
    secrets: tuple[str, ...],
) -> Answer:
    """Ask for a token, on a connection of its own: it is seldom needed again soon."""
    headers = DEFAULT_HEADERS | {"Content-Type": "application/x-www-form-urlencoded", **given}
    try:
        content = urlencode(form).encode("ascii")
        request = httpx.Request("POST", endpoint.url, headers=headers, content=content)
    except (httpx.InvalidURL, ValueError):
        raise unsendable("POST to the token endpoint") from None
    exchange = Exchange(deadline=endpoint.deadline, reach=endpoint.reach)
    try:
        return exchange.send(request, secrets)
    finally:
        exchange.close()


def _token(answer: Answer) -> _Token:
    try:
        token = msgspec.json.decode(answer.body, type=_Token, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if _error_of(answer):
            raise _refusal(answer) from None
        raise SinkUnavailable(
            f"{answer.call} was answered {answer.status} without an access token.",
            hint="Check that the token endpoint's address is right and leads past no login page.",
        ) from error
    if not fits_in_header(token.access_token):
        raise SinkUnavailable(
            f"{answer.call} was answered with a token that cannot be sent.",
            hint="It is tried again by itself; if it lasts, check the token endpoint's address.",
        )
    return token


def _refusal(answer: Answer) -> SinkBroken | SinkUnavailable:
    said = remark(answer.body, answer.secrets)
    what = f"{answer.call} gave no access token ({answer.status}){': ' if said else '.'}{said}"
    if _error_of(answer) in _PASSING:
        return SinkUnavailable(what, hint="It is tried again by itself.")
    return SinkBroken(
        what,
        hint="Check the credentials, what they are allowed to do, and the token endpoint's "
        "address; then resume.",
    )


def _error_of(answer: Answer) -> str:
    try:
        return msgspec.json.decode(answer.body, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""  # a page for people: its status has to do
