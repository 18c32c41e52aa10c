"""What a webhook event says: a whole appointment, the id of one, or nothing that is understood.

The shape is `{"type": "appointment.…", "timestamp": …, "data": {appointment}}`.
"""

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from zimun_sync.errors import RecordInvalid
from zimun_sync.model import to_micros
from zimun_sync.normalize.items import Refused
from zimun_sync.normalize.normalizer import Normalized, Normalizer
from zimun_sync.normalize.scrubbing import NOTHING, Scrubber

#: The stream that events are about, and how their types begin.
EVENT_STREAM: Final = "appointments"
_TYPES: Final = "appointment."
#: What a message may repeat of a type: anything else might be somebody's name.
_NAME: Final = re.compile(r"[a-z0-9_]{1,40}(?:[.:/-][a-z0-9_]{1,40}){1,3}", re.ASCII)
#: Endings of types whose data may be a record's last state: the API is asked instead.
_PARTING: Final = ("deleted", "removed", "erased")
#: Key of the quarantine entry of an event whose record is not known.
EVENT_KEY: Final = "event:"


class Carried(msgspec.Struct, frozen=True):
    """A record that an event carries.

    Args:
        record: normalized.
        fields: names of the fields that it has, as the source calls them.
        at: the event's own time, microseconds UTC; None where it has none.
    """

    record: Normalized
    fields: frozenset[str]
    at: int | None


class Named(msgspec.Struct, frozen=True):
    """A record that has to be fetched: the event does not carry it whole."""

    key: str


class _Envelope(msgspec.Struct):
    type: str
    data: msgspec.Raw
    timestamp: msgspec.Raw = msgspec.Raw(b"null")


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_encode = msgspec.json.Encoder().encode
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MOMENT = msgspec.json.Decoder(datetime | int | float)


def understand(event_id: str, body: bytes, normalizer: Normalizer) -> Carried | Named | Refused:
    """What an authentic event says.

    Args:
        event_id: the event's id.
        body: the request's body.
        normalizer: of the appointments.
    """
    envelope = _envelope(event_id, body)
    if isinstance(envelope, Refused):
        return envelope._replace(raw=normalizer.scrubber.anything(body))
    (data,) = normalizer.scrubber.items([bytes(envelope.data)])
    key = normalizer.key_of(data)
    if key is None:
        clean = normalizer.scrubber.anything(body)
        return _refused(event_id, "missing-id", "The event names no appointment.", clean)
    if envelope.type.endswith(_PARTING):
        return Named(key)
    try:
        record = normalizer.normalize(data)
    except RecordInvalid as error:
        # A time is what every appointment has: without it the event says only which one.
        is_thin = error.code == "missing-time"
        return Named(key) if is_thin else Refused(key, error.code, error.message, data)
    return Carried(record, fields_of_raw(data), _moment(envelope.timestamp))


def scrubbed(body: bytes, scrubber: Scrubber) -> bytes:
    """An event without what is about people who asked to be forgotten.

    Of one that is about them only its type, time and scrubbed record stay; nothing of one that
    is not understood.
    """
    if not scrubber.concerns(body):
        return body
    envelope = _envelope("", body)
    if isinstance(envelope, Refused):
        return NOTHING
    (clean,) = scrubber.items([bytes(envelope.data)])
    return _encode(_Envelope(envelope.type, msgspec.Raw(clean), envelope.timestamp))


def key_in(body: bytes, normalizer: Normalizer) -> str | None:
    """The record that an event names; None where it names none that can be told."""
    envelope = _envelope("", body)
    return None if isinstance(envelope, Refused) else normalizer.key_of(bytes(envelope.data))


def _envelope(event_id: str, body: bytes) -> _Envelope | Refused:
    try:
        envelope = _ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = f"The event has another shape: {error}."
        return _refused(event_id, "unknown-shape", message, body)
    if envelope.type.startswith(_TYPES):
        return envelope
    is_name = _NAME.fullmatch(envelope.type)
    named = f"type {envelope.type!r}" if is_name else "a type that is no name"
    message = f"Events of {named} are not known."
    return _refused(event_id, "unknown-event", message, body)


def _refused(event_id: str, code: str, message: str, body: bytes | None) -> Refused:
    return Refused(EVENT_KEY + event_id, code, message, body)


def fields_of_raw(raw: bytes) -> frozenset[str]:
    """Names of the fields of a raw record; none for a tombstone."""
    return frozenset(_OBJECT.decode(raw)) if raw else frozenset()


def _moment(raw: msgspec.Raw) -> int | None:
    """Microseconds of an ISO time or of seconds since the epoch; None for anything else."""
    try:
        found = _MOMENT.decode(raw)
        moment = found if isinstance(found, datetime) else datetime.fromtimestamp(found, UTC)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, OverflowError, OSError):
        return None
    return None if moment.tzinfo is None else to_micros(moment)
