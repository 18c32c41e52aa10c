"""Phone numbers as HubSpot keeps them: as somebody typed them, and normalized by itself."""

from collections.abc import Iterable, Iterator, Sequence

from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    format_number,
    national_significant_number,
    parse,
)


def national(phone: str) -> str:
    """The digits after the country code of an E.164 number: what HubSpot's search knows."""
    try:
        return str(national_significant_number(parse(phone)))
    except NumberParseException:
        return phone.lstrip("+")


def same_numbers(present: Iterable[str], phones: Sequence[str]) -> Iterator[str]:
    """Those of the E.164 numbers that are among the present ones.

    A present number without country code is nobody's: HubSpot gives its own reading of it,
    with the country code of the account, beside it.
    """
    full = {_full(text) for text in present}
    return (phone for phone in phones if phone in full)


def _full(text: str) -> str:
    try:
        return str(format_number(parse(text), PhoneNumberFormat.E164))
    except NumberParseException:
        return ""
