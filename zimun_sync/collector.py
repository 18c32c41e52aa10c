"""Python's cyclic garbage collector, told what a process full of rows is like."""

import gc

_CONTAINERS = 200_000


def relax_collector() -> None:
    """Let many objects come and go before a search for cycles.

    Rows are tuples that form no cycles and are freed by counting references. Searching them
    for cycles at the default rate was most of the cost of building an Arrow table from 20,000
    of them (12 instead of 2 microseconds a row). Affects the whole process.
    """
    gc.set_threshold(_CONTAINERS, 10, 10)
