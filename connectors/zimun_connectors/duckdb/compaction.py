"""Keeping the private database near the size that its rows need, a few row groups at a time.

A deleted row keeps its place until its row group is written anew. DuckDB does that at a
checkpoint, to four groups of which a quarter is gone; where changes are spread evenly that is
every group in the same night, and the file then has room for all rows twice. Here the emptiest
groups are written anew earlier, few at once. The checkpoint that follows is one like any other:
what a published header refers to stays where it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from zimun_connectors.duckdb import compaction_sql, sql
from zimun_connectors.duckdb.state import State
from zimun_sync.model import Stream

#: Share of a table's places that rows which are gone may keep.
DEAD_SHARE = 0.07

#: So many groups that are not half full call for fewer: each checkpoint leaves one behind.
SMALL_GROUPS = 4

#: Share of the file's blocks that may be free: what a move or a burst of changes needs once.
FREE_SHARE = 0.15

#: Most rows that are moved at once: this share of all, but no more than so many.
MOVED_SHARE, MOVED_ROWS = 0.1, 50_000


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group of a table.

    Args:
        table: its quoted name.
        first: place (rowid) of its first row.
        places: how many it has.
        rows: how many of them are still taken.
        block: the last block of the file that it uses, -1 before its first checkpoint.
    """

    table: str
    first: int
    places: int
    rows: int
    block: int


def compact(state: State, streams: Sequence[Stream]) -> int:
    """Move rows out of the emptiest row groups, and out of the end of a file with much free room.

    It is for the caller to make the checkpoint, without which nothing gets smaller. What is
    looked at is places, not rows: 0.2 s of CPU for a million.

    Returns:
        How many rows were moved.
    """
    tables = [sql.identifier(stream.name) for stream in streams]
    groups = {table: _row_groups(state, table) for table in tables}
    chosen = chain(
        chain.from_iterable(map(_emptiest, groups.values())),
        chain.from_iterable(map(_small, groups.values())),
    )
    everything = list(chain.from_iterable(groups.values()))
    if _has_much_free(state):
        chosen = chain(chosen, _from_the_end(everything))
    return _move(state, _affordable(chosen, sum(group.rows for group in everything)))


def _has_much_free(state: State) -> bool:
    query = """
        SELECT free_blocks > $share * total_blocks FROM pragma_database_size()
        WHERE database_name = $name
    """
    return bool(state.rows(query, {"share": FREE_SHARE, "name": sql.DATABASE})[0][0])


def _row_groups(state: State, table: str) -> list[RowGroup]:
    """Those that are in the file: what is not is about to be written anyway."""
    found = state.rows(compaction_sql.find_row_groups(table))
    return [group for group in (RowGroup(table, *each) for each in found) if group.block >= 0]


def _small(groups: Sequence[RowGroup]) -> list[RowGroup]:
    """Those that are not half full, if there are many."""
    small = [group for group in groups if group.rows < sql.ROW_GROUP_SIZE // 2]
    return small if len(small) >= SMALL_GROUPS else []


def _emptiest(groups: Sequence[RowGroup]) -> Iterator[RowGroup]:
    """Those with the largest share of places that are free, until few enough are left."""
    places = sum(group.places for group in groups)
    dead = places - sum(group.rows for group in groups)
    for group in sorted(groups, key=lambda group: group.rows / group.places):
        if dead <= DEAD_SHARE * places:
            return
        yield group
        dead -= group.places - group.rows


def _from_the_end(groups: Iterable[RowGroup]) -> list[RowGroup]:
    """First those that lie nearest to the end of the file, which is cut off where it is free."""
    return sorted(groups, key=lambda group: -group.block)


def _affordable(groups: Iterable[RowGroup], rows: int) -> list[RowGroup]:
    """As many of them as are moved at once, each once; the first one, whatever its size."""
    left = max(sql.ROW_GROUP_SIZE, min(MOVED_ROWS, int(MOVED_SHARE * rows)))
    taken: list[RowGroup] = []
    for group in groups:
        if group in taken:
            continue
        left -= group.rows
        if taken and left < 0:
            break
        taken.append(group)
    return taken


def _move(state: State, groups: Sequence[RowGroup]) -> int:
    """Write the rows of these groups anew, stamps and all, and leave their places."""
    with state.transaction():
        for group in groups:
            state.rows(compaction_sql.copy_places(group.table, group.first, group.places))
            state.rows(compaction_sql.delete_places(group.table, group.first, group.places))
    return sum(group.rows for group in groups)
