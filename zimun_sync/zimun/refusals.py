"""The error for a failed attempt: what happened, at which call, and what to do next.

Messages hold no query, no body and nothing a person entered; see `zimun_sync.network.remarks`.
"""

import math
from http import HTTPStatus
from typing import Final

from zimun_sync.errors import (
    AuthenticationFailed,
    MalformedAnswer,
    NotFound,
    PageTokenExpired,
    RequestRefused,
    ScopeMissing,
    SlotTaken,
    SourceError,
    SourceUnavailable,
)
from zimun_sync.zimun.outcome import Fault, Outcome, Purpose

_GONE: Final = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_TOKEN_EXPIRED: Final = {HTTPStatus.BAD_REQUEST, HTTPStatus.GONE}

_TRY_LATER: Final = "Try again later; what was done so far is kept."
_FAULT_HINTS: Final = {
    Fault.UNREACHABLE: "Check base_url, the network and any proxy; then try again.",
    Fault.UNTRUSTED: "Check base_url and this machine's date; where a company's own authority "
    "signs certificates, point SSL_CERT_FILE to its certificate.",
    Fault.BROKEN: "Try again later; if it lasts, check the network or raise read_timeout.",
    Fault.MALFORMED: "Check that base_url leads to the Zimun API and not to a proxy or a login "
    "page; if it does, try again later and tell Zimun.",
    Fault.TOO_LARGE: "Lower page_size, or raise max_response_bytes.",
}


def faulty(outcome: Outcome, fault: Fault) -> SourceError:
    """No answer came, or none that can be used."""
    hint = _FAULT_HINTS[fault]
    if fault in {Fault.MALFORMED, Fault.TOO_LARGE}:
        return MalformedAnswer(
            f"The Zimun API's answer to {outcome.call} is not as promised: {outcome.detail}.",
            hint=hint,
        )
    return SourceUnavailable(
        f"The Zimun API could not be reached for {outcome.call}: {outcome.detail}.", hint=hint
    )


def busy(outcome: Outcome, retry_after: float | None) -> SourceUnavailable:
    """The API asked for patience, or is out of order."""
    hint = _TRY_LATER
    if retry_after is not None:
        hint = f"Try again in {math.ceil(retry_after)} seconds, as the API asks."
    return SourceUnavailable(_answered(outcome), retry_after=retry_after, hint=hint)


def token_refused(outcome: Outcome) -> AuthenticationFailed:
    """A token fetched just before was refused."""
    return AuthenticationFailed(
        f"The Zimun API answered 401 to {outcome.call}, even with a token fetched just before.",
        hint="Check in Settings, API Clients that the client is active and belongs to this "
        "organization, and that base_url and token_url are of the same service.",
    )


def refusal(outcome: Outcome, status: int) -> SourceError:
    """The API understood and said no; repeating will not change it."""
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return _redirected(outcome, status)
    if outcome.purpose is Purpose.SIGN_IN:
        return _sign_in_refused(outcome, status)
    if outcome.purpose is Purpose.NEXT_PAGE and status in _TOKEN_EXPIRED:
        return PageTokenExpired(
            _answered(outcome), hint="The listing has to start again from its first page."
        )
    if status in _GONE:
        return NotFound(
            _answered(outcome), hint="The record is gone, or this API does not offer the path."
        )
    return _said_no(outcome, status)


def _answered(outcome: Outcome) -> str:
    said = f": {outcome.detail}" if outcome.detail else "."
    return f"The Zimun API answered {outcome.status} to {outcome.call}{said}"


def _said_no(outcome: Outcome, status: int) -> SourceError:
    if status == HTTPStatus.FORBIDDEN:
        scope = outcome.scope or "that this needs"
        return ScopeMissing(
            _answered(outcome),
            hint=f"Give the API client the scope {scope}, in Settings, API Clients; where the "
            "setting `scopes` is used, name it there too.",
        )
    if status == HTTPStatus.CONFLICT and outcome.purpose is Purpose.BOOKING:
        return SlotTaken(
            _answered(outcome), hint="Ask for availability again and take another slot."
        )
    return RequestRefused(
        _answered(outcome),
        status=status,
        hint="Repeating it will not help: correct the call, or the setting it comes from.",
    )


def _redirected(outcome: Outcome, status: int) -> RequestRefused:
    return RequestRefused(
        f"The Zimun API answered {status} to {outcome.call}, sending us elsewhere; redirects are "
        "never followed, for they would carry the credentials to another address.",
        status=status,
        hint="Set base_url (and token_url) to the address where the API really is.",
    )


def _sign_in_refused(outcome: Outcome, status: int) -> AuthenticationFailed:
    if status in _GONE:
        hint = "There is no token endpoint there: check base_url, or set token_url."
    elif "invalid_scope" in outcome.detail:
        hint = "Ask for fewer scopes in the setting `scopes`, or grant them to the API client."
    else:
        hint = "Check client_id and client_secret against Settings, API Clients in Zimun."
    return AuthenticationFailed(_answered(outcome), hint=hint)
