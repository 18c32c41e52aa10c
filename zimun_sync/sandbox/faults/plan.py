"""The faults on order, and which of them a request meets."""

from dataclasses import dataclass
from threading import Lock
from typing import Any

import msgspec

from zimun_sync.sandbox.api.calls import Call
from zimun_sync.sandbox.faults.fault import Fault, Phase


@dataclass
class _Order:
    fault: Fault
    seen: int = 0
    fired: int = 0

    def sees(self, call: Call) -> bool:
        """Counts a matching request and tells whether the fault is due on it."""
        fault = self.fault
        if fault.stream not in ("*", call.target):
            return False
        self.seen += 1
        return (
            (fault.times == 0 or self.fired < fault.times)
            and self.seen >= fault.on
            and self.seen % fault.every == 0
            and self._fits_page(call)
        )

    def _fits_page(self, call: Call) -> bool:
        if self.fault.kind == "expire-page-token" and not call.page_token:
            return False
        if self.fault.phase is Phase.PAGE and call.cursor is None:
            return False
        return self.fault.page is None or (
            call.cursor is not None and call.cursor.number == self.fault.page
        )


class FaultPlan:
    """The faults on order; they may be changed while requests come in."""

    def __init__(self) -> None:
        self._orders: list[_Order] = []
        self._lock = Lock()

    def order(self, fault: Fault) -> None:
        """Adds a fault; its counting of requests starts now."""
        with self._lock:
            self._orders.append(_Order(fault))

    def clear(self) -> None:
        """Cancels all orders."""
        with self._lock:
            self._orders.clear()

    def strike(self, call: Call) -> list[Fault]:
        """The faults that fire on a request: one in place of the answer, or any others.

        A fault that is due and gives way to another stays due.
        """
        with self._lock:
            due = [order for order in self._orders if order.sees(call)]
            instead = [order for order in due if order.fault.phase is Phase.INSTEAD]
            firing = instead[:1] or due
            for order in firing:
                order.fired += 1
            return [order.fault for order in firing]

    def report(self) -> list[dict[str, Any]]:
        """Each order with the requests it has seen and how often it has fired."""
        with self._lock:
            return [
                msgspec.to_builtins(order.fault) | {"seen": order.seen, "fired": order.fired}
                for order in self._orders
            ]
