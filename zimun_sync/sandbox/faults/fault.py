"""One fault to order: what goes wrong, and on which request."""

import difflib
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec

from zimun_sync.errors import ConfigError


class Phase(Enum):
    """When a fault acts."""

    INSTEAD = "instead"  #: in place of the answer
    PAGE = "page"  #: on a page's content
    WIRE = "wire"  #: on the bytes of a good answer


KINDS: Mapping[str, Phase] = {
    "status": Phase.INSTEAD,
    "revoke-token": Phase.INSTEAD,
    "expire-page-token": Phase.INSTEAD,
    "html": Phase.INSTEAD,
    "redirect": Phase.INSTEAD,
    "drop": Phase.INSTEAD,
    "stall": Phase.INSTEAD,
    "missing-next-page-token": Phase.PAGE,
    "empty-last-token": Phase.PAGE,
    "repeat-page": Phase.PAGE,
    "cycle": Phase.PAGE,
    "drift": Phase.PAGE,
    "malformed": Phase.PAGE,
    "truncate": Phase.WIRE,
    "drip": Phase.WIRE,
    "gzip-bomb": Phase.WIRE,
    "huge-page": Phase.WIRE,
}

_Positive = Annotated[int, msgspec.Meta(ge=1)]
_Count = Annotated[int, msgspec.Meta(ge=0)]

_Wait = Annotated[str, msgspec.Meta(pattern=r"^(\d+|date(\+\d+)?|past|huge|garbage)$")]


class Fault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An order for something to go wrong; `docs/sandbox.md` tells what each kind does.

    Args:
        kind: one of `KINDS`.
        stream: which requests: the name of a list, or another target such as `token`,
            `appointments/id`, `hold`; `*` for any.
        on: from the which-th matching request on, counted since the order.
        page: only on the which-th page of a listing.
        every: only on every so many-th matching request.
        times: how often at most; 0 for ever.
        code: HTTP status, of `status`, `redirect` and `expire-page-token`.
        retry_after: of `status`: seconds, `date+SECONDS`, `past`, `huge` or `garbage`.
        mode: of `truncate`: a short `length`, a cut `chunk`, or the connection's `close` as end.
        keep: of `truncate`: percentage of the body that is sent.
        what: of `malformed`: which fault the records have.
        count: of `malformed` and `drift`: how many records.
        back: of `cycle`: how many pages the token leads back.
        size: of `gzip-bomb` and `huge-page`: bytes of the body once it is unpacked.
        chunk: of `drip`: bytes sent at once.
        seconds: of `drip`: pause between two of them; of `stall`: until the connection is cut.
        to: of `redirect`: where to.
    """

    kind: str
    stream: str = "appointments"
    on: _Positive = 1
    page: _Positive | None = None
    every: _Positive = 1
    times: _Count = 1
    code: Annotated[int, msgspec.Meta(ge=300, le=599)] | None = None
    retry_after: _Wait | None = None
    mode: Literal["length", "chunk", "close"] = "length"
    keep: Annotated[int, msgspec.Meta(ge=0, le=100)] = 50
    what: Literal["missing-id", "null-id", "bad-time", "not-object", "wrong-types"] = "missing-id"
    count: _Positive = 1
    back: _Count = 0
    size: _Positive = 64 * 2**20
    chunk: _Positive = 16
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.05
    to: str = "http://127.0.0.1:9/elsewhere"

    @property
    def phase(self) -> Phase:
        """When it acts."""
        return KINDS[self.kind]


def read_fault(order: Any) -> Fault:
    """A fault from a JSON object or from text like `status:code=503,on=3`.

    `429` and `503:on=2` are short for `status:code=…`.

    Raises:
        ConfigError: there is no such kind, or a setting of it makes no sense.
    """
    fields = _fields(order) if isinstance(order, str) else order
    try:
        fault = msgspec.convert(fields, Fault, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"Fault {order!r}: {error}.", hint="See docs/sandbox.md.") from None
    if fault.kind not in KINDS:
        near = difflib.get_close_matches(fault.kind, KINDS, n=1)
        raise ConfigError(
            f"Fault {order!r}: there is no kind {fault.kind!r}.",
            hint=f"Did you mean {near[0]}?" if near else f"Kinds: {', '.join(KINDS)}.",
        )
    return fault


def _fields(text: str) -> dict[str, str]:
    kind, _, settings = text.partition(":")
    pairs = [setting.partition("=") for setting in settings.split(",") if setting]
    fields = {name.strip().replace("-", "_"): value.strip() for name, _, value in pairs}
    if kind.isdigit():
        return fields | {"kind": "status", "code": kind}
    return fields | {"kind": kind}
