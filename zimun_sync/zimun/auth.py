"""Signs in with OAuth2 client credentials (RFC 6749 §4.4) and shares one token among threads."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from urllib.parse import urlencode, urlsplit

import msgspec

from zimun_sync.network.body import BodyFault
from zimun_sync.network.credentials import basic_credentials, fits_in_header, used_for
from zimun_sync.zimun.answers import decode
from zimun_sync.zimun.exchange import Anonymous, Exchange
from zimun_sync.zimun.outcome import Purpose
from zimun_sync.zimun.settings import ClientSettings
from zimun_sync.zimun.wire import Call, Reply


class _Answer(msgspec.Struct):
    """The token endpoint's answer, RFC 6749 §5.1; `expires_in` is in seconds."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the kind of token, no secret
    expires_in: float | None = None
    scope: str = ""


_DECODER = msgspec.json.Decoder(_Answer, strict=False)


class Token(msgspec.Struct, frozen=True):
    """An access token.

    Args:
        value: what goes into the Authorization header.
        lifetime: seconds from when it was asked for until it should be replaced; None: unknown,
            so it is used until it is refused.
        scopes: what it permits, where the endpoint says so.
    """

    value: str
    lifetime: float | None
    scopes: frozenset[str] = frozenset()


def sign_in(exchange: Exchange, settings: ClientSettings) -> Token:
    """Fetch a token.

    Raises:
        AuthenticationFailed: the credentials were refused; this is never repeated.
        SourceUnavailable, MalformedAnswer: as with any call.
    """
    form = {"grant_type": "client_credentials"}
    if settings.scopes:
        form["scope"] = " ".join(settings.scopes)
    secret = settings.client_secret.get_secret_value()
    call = Call(
        "POST",
        settings.token_address,
        name=f"POST {urlsplit(settings.token_address).path or '/'}",
        purpose=Purpose.SIGN_IN,
        headers=(
            ("Authorization", basic_credentials(settings.client_id, secret)),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ),
        content=urlencode(form).encode("ascii"),
        private=(settings.client_id, secret),
    )
    return exchange.run(call, _token, Anonymous())


def _token(reply: Reply) -> Token:
    answer = decode(reply.body, reply.content_type, _DECODER)
    if answer.token_type.lower() != "bearer":
        raise BodyFault("its token is not a bearer token")
    if not fits_in_header(answer.access_token):
        raise BodyFault("its access_token cannot be put into a header")
    scopes = frozenset(answer.scope.split())
    return Token(answer.access_token, used_for(answer.expires_in), scopes)


class SharedToken:
    """One token for all threads, with one request for it however many wait.

    Args:
        fetch: asks for a token; what it raises reaches all who wait for it.
        monotonic: the clock its lifetime is measured by.

    Attributes:
        scopes: what the latest token permits; empty where that was not told.
    """

    def __init__(self, fetch: Callable[[], Token], monotonic: Callable[[], float]) -> None:
        self.scopes: frozenset[str] = frozenset()
        self._fetch = fetch
        self._monotonic = monotonic
        self._lock = Lock()
        self._flight: Future[str] | None = None
        self._until: float | None = None

    def get(self) -> str:
        """The current token, fetched if there is none or it is about to expire."""
        with self._lock:
            flight, mine = self._flight, False
            if flight is None or self._is_spent(flight):
                flight, mine = Future(), True
                self._flight, self._until = flight, None
        if mine:
            self._fly(flight)
        return flight.result()

    def discard(self, refused: str) -> None:
        """Forget a token that was refused; the next `get` fetches another."""
        with self._lock:
            flight = self._flight
            if flight and flight.done() and not flight.exception() and flight.result() == refused:
                self._flight = None

    def _is_spent(self, flight: Future[str]) -> bool:
        if not flight.done():
            return False
        if flight.exception() is not None:
            return True
        return self._until is not None and self._monotonic() >= self._until

    def _fly(self, flight: Future[str]) -> None:
        asked = self._monotonic()
        try:
            token = self._fetch()
        except BaseException as error:
            flight.set_exception(error)
            raise
        if token.lifetime is not None:
            self._until = asked + token.lifetime
        self.scopes = token.scopes
        flight.set_result(token.value)
