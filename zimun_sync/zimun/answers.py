"""What an answer says: JSON into types."""

from typing import TypeVar

import msgspec

from zimun_sync.network.body import BodyFault

T = TypeVar("T")


def decode(body: bytes, content_type: str, decoder: msgspec.json.Decoder[T]) -> T:
    """A JSON answer as the decoder's type.

    Raises:
        BodyFault: it is not JSON, or not of that type; the text names no value of it.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise BodyFault(f"it is {kind if kind.isprintable() else 'something'}, not JSON")
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise BodyFault(str(error).rstrip(".")) from error
    except UnicodeDecodeError as error:
        raise BodyFault("it is not UTF-8") from error
    except RecursionError as error:
        raise BodyFault("its JSON is nested too deeply") from error
