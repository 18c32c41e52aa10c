"""The SQL of `compaction`: which places of a table are taken, and how rows leave theirs.

Tables are given by their quoted names.
"""

from zimun_connectors.duckdb import sql


def find_row_groups(table: str) -> str:
    """Row groups of a table: first place, places, rows that are left, last block of the file.

    Their places follow each other without a gap.
    """
    return f"""
        WITH groups AS (
            SELECT row_group_id, max(greatest(block_id, list_max(additional_block_ids))) AS block,
                sum("count") FILTER (column_path = '[0]')::BIGINT AS places
            FROM pragma_storage_info({sql.literal(table)}) GROUP BY row_group_id),
        placed AS (
            SELECT (sum(places) OVER (ORDER BY row_group_id) - places)::BIGINT AS first,
                places, block
            FROM groups WHERE places > 0),
        counted AS (
            SELECT first, count(*) AS rows
            FROM {table} t ASOF JOIN placed ON t.rowid >= placed.first GROUP BY first)
        SELECT first, places, coalesce(rows, 0), coalesce(block, -1)
        FROM placed LEFT JOIN counted USING (first) ORDER BY first
    """


def copy_places(table: str, first: int, places: int) -> str:
    """Append the rows in so many places from the first on to their own table."""
    return f"INSERT INTO {table} SELECT * FROM {table} WHERE {_within(first, places)}"


def delete_places(table: str, first: int, places: int) -> str:
    """Remove the rows in so many places from the first on."""
    return f"DELETE FROM {table} WHERE {_within(first, places)}"


def _within(first: int, places: int) -> str:
    return f"rowid >= {first} AND rowid < {first + places}"
