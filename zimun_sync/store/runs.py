"""Runs of listings: how they begin, go on, end and are found again."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from zimun_sync.errors import ConfigError, ZimunSyncError
from zimun_sync.model import from_micros
from zimun_sync.store.clock import Clock, micros
from zimun_sync.store.database import Database
from zimun_sync.store.leases import Lease, check
from zimun_sync.store.quarantine import close_unlisted
from zimun_sync.store.run import FIRST_PAGE, Run, RunStatus
from zimun_sync.store.schema import runs
from zimun_sync.store.seen import forget_seen, tokens_of

#: An unfinished run older than this is not resumed: its first pages are too old to build on.
RESUME_WITHIN_SECONDS = 6 * 3600


def _run(row: Row[Any]) -> Run:
    return Run(*tuple(row))


def _new_id(now: int) -> str:
    return f"{from_micros(now):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


class Runs:
    """Begin, resume, finish and look up runs.

    Args:
        database: the store's connections.
        clock: aware UTC now.
        new_id: makes a run id from the time in microseconds.
    """

    def __init__(
        self, database: Database, clock: Clock, new_id: Callable[[int], str] = _new_id
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    def begin(
        self, lease: Lease, source: str, stream: str, parameters: str, *, fresh: bool = False
    ) -> Run:
        """Resume the stream's unfinished run, or begin one.

        Args:
            lease: the source's lease.
            source: the source's name.
            stream: the stream's name.
            parameters: fingerprint of the listing's request; another one starts again.
            fresh: begin at the first page whatever is unfinished.

        Raises:
            LeaseLost: another process took over.
        """
        now = micros(self._clock)
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            last = self._last(connection, source, stream)
            if last is not None and not fresh and _resumable(last, parameters, now):
                run_id = last.run_id
                _update(connection, run_id, {"resumes": last.resumes + 1} | _reopened(now))
            else:
                _supersede(connection, last, now)
                _date_back(connection, source, stream, now)
                run_id = self._insert(connection, (source, stream, parameters), now)
            return _get(connection, run_id)

    def _last(self, connection: Connection, source: str, stream: str) -> Run | None:
        row = connection.execute(
            sa.select(runs)
            .where(runs.c.source == source, runs.c.stream == stream)
            .order_by(runs.c.started_at.desc(), runs.c.run_id.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else _run(row)

    def _insert(self, connection: Connection, listing: tuple[str, str, str], now: int) -> str:
        run_id = self._new_id(now)
        source, stream, parameters = listing
        counts = dict.fromkeys(_FROM_ZERO, 0)
        connection.execute(
            sa.insert(runs).values(
                run_id=run_id,
                source=source,
                stream=stream,
                status=RunStatus.RUNNING,
                parameters=parameters,
                started_at=now,
                updated_at=now,
                passes=1,
                **counts,
            )
        )
        return run_id

    def restart_listing(self, lease: Lease, run: Run) -> Run:
        """Forget the checkpoint: the listing begins again at the first page, to read forward.

        What the passes before this one brought stays known.
        """
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            again: dict[str, Any] = {"restarts": runs.c.restarts + 1}
            if run.passes == 1:
                forget_seen(connection, run.run_id)
                again |= {"pages": 0, "listing_requested_at": None}
            _update(connection, run.run_id, _at_first_page(micros(self._clock)) | again)
            return _get(connection, run.run_id)

    def begin_pass(self, lease: Lease, run: Run, back_to: int | None = None) -> Run:
        """List everything once more: what the passes so far brought stays known.

        Args:
            lease: the source's lease.
            run: with the last page of its pass stored.
            back_to: read its pages from the last to this one, from 0; if a listing of this run
                had to begin again, tokens do not live that long, and it is read forward.

        Raises:
            LeaseLost: another process took over.
        """
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            again: dict[str, Any] = {"passes": runs.c.passes + 1}
            again |= _at_first_page(micros(self._clock))
            if back_to is not None and not run.restarts:
                again |= _at_last_page(connection, run, back_to)
            _update(connection, run.run_id, again)
            return _get(connection, run.run_id)

    def way_back(self, lease: Lease, run: Run) -> list[str]:
        """Tokens of the pages still to read in a pass that reads backward, in that order.

        Raises:
            LeaseLost: another process took over, and may have ended the run.
        """
        first = run.pages - run.pass_pages - run.back_from
        left = range(first + run.back_to, first + run.place + 1)
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            found = tokens_of(connection, run.run_id, left)
        return [token or FIRST_PAGE for token in found]

    def note_found_late(self, lease: Lease, run: Run, found_late: int) -> Run:
        """Record what the latest pass found and none before it."""
        with self._database.write(durable=False) as connection:
            check(connection, lease)
            _update(connection, run.run_id, {"found_late": found_late})
            return _get(connection, run.run_id)

    def succeed(self, lease: Lease, run: Run, *, listed_everything: bool) -> Run:
        """Record that a run ended well.

        Args:
            lease: the source's lease.
            run: the run.
            listed_everything: whether what it did not list is gone from the source.
        """
        with self._database.write(durable=True) as connection:
            check(connection, lease)
            if listed_everything:
                close_unlisted(connection, run.source, run.stream, run.run_id)
            forget_seen(connection, run.run_id)
            _update(connection, run.run_id, self._ended(RunStatus.SUCCEEDED, None))
            return _get(connection, run.run_id)

    def finish(self, lease: Lease, run: Run, status: RunStatus, error: ZimunSyncError) -> Run:
        """Record on what error a run ended. A failed run keeps its checkpoint."""
        with self._database.write(durable=True) as connection:
            check(connection, lease)
            if status is not RunStatus.FAILED:
                forget_seen(connection, run.run_id)
            _update(connection, run.run_id, self._ended(status, error))
            return _get(connection, run.run_id)

    def approve(self, run_id: str) -> Run:
        """Let a run that needed attention count as succeeded: its listing was complete."""
        with self._database.write(durable=True) as connection:
            run = _get(connection, run_id)
            close_unlisted(connection, run.source, run.stream, run_id, before=run.started_at)
            _update(connection, run_id, self._ended(RunStatus.SUCCEEDED, None))
            return _get(connection, run_id)

    def _ended(self, status: RunStatus, error: ZimunSyncError | None) -> dict[str, Any]:
        now = micros(self._clock)
        return {
            "status": status,
            "finished_at": now,
            "updated_at": now,
            "failure": None if error is None else type(error).__name__,
            "error": None if error is None else error.message,
            "hint": None if error is None else error.hint or None,
        }

    def get(self, run_id: str) -> Run:
        """One run by its id.

        Raises:
            ConfigError: there is none.
        """
        with self._database.read() as connection:
            row = connection.execute(sa.select(runs).where(runs.c.run_id == run_id)).one_or_none()
        if row is None:
            raise ConfigError(f"There is no run {run_id!r}.", hint="`zimun-sync runs` shows them.")
        return _run(row)

    def recent(
        self, limit: int = 20, *, source: str | None = None, status: str | None = None
    ) -> list[Run]:
        """The latest runs, of one source or of one status where that is asked; newest first."""
        query = sa.select(runs).order_by(runs.c.started_at.desc(), runs.c.run_id.desc())
        if source is not None:
            query = query.where(runs.c.source == source)
        if status is not None:
            query = query.where(runs.c.status == status)
        with self._database.read() as connection:
            return [_run(row) for row in connection.execute(query.limit(limit)).all()]

    def latest(self, source: str, stream: str) -> Run | None:
        """The stream's newest run."""
        with self._database.read() as connection:
            return self._last(connection, source, stream)

    def last_success(self, source: str, stream: str) -> Run | None:
        """The stream's newest run that succeeded."""
        query = (
            sa.select(runs)
            .where(
                runs.c.source == source,
                runs.c.stream == stream,
                runs.c.status == RunStatus.SUCCEEDED,
            )
            .order_by(runs.c.started_at.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _run(row)


def _date_back(connection: Connection, source: str, stream: str, now: int) -> None:
    """Let runs of the future have ended by now: since then the clock was set back.

    Else they would go on being the latest ones, and hide those that begin from now on.
    """
    ended = sa.case((runs.c.finished_at > now, now - 1), else_=runs.c.finished_at)
    connection.execute(
        sa.update(runs)
        .where(runs.c.source == source, runs.c.stream == stream, runs.c.started_at > now)
        .values(started_at=now - 1, finished_at=ended)
    )


def _resumable(last: Run, parameters: str, now: int) -> bool:
    unfinished = last.status in (RunStatus.RUNNING, RunStatus.FAILED) and last.pages > 0
    recent = now - last.updated_at <= RESUME_WITHIN_SECONDS * 1_000_000
    return unfinished and recent and last.parameters == parameters


def _at_first_page(now: int) -> dict[str, Any]:
    counts = dict.fromkeys(("pass_pages", "records", "quarantined", "back_from", "back_to"), 0)
    return counts | {"page_token": None, "updated_at": now}


def _at_last_page(connection: Connection, run: Run, back_to: int) -> dict[str, Any]:
    """Where a pass that reads backward begins; nothing where tokens were not kept."""
    latest = range(run.pages - run.pass_pages + 1, run.pages)
    tokens = tokens_of(connection, run.run_id, latest)
    if not tokens or not all(tokens):
        return {}
    kept = {"records": run.records, "quarantined": run.quarantined}
    return kept | {"page_token": tokens[0], "back_from": run.pass_pages, "back_to": back_to}


def _reopened(now: int) -> dict[str, Any]:
    return {
        "status": RunStatus.RUNNING,
        "updated_at": now,
        "finished_at": None,
        "failure": None,
        "error": None,
        "hint": None,
    }


def _supersede(connection: Connection, last: Run | None, now: int) -> None:
    if last is None:
        return
    forget_seen(connection, last.run_id)
    if last.status == RunStatus.RUNNING:
        _update(connection, last.run_id, {"status": RunStatus.SUPERSEDED, "finished_at": now})


def _update(connection: Connection, run_id: str, values: Mapping[str, Any]) -> None:
    connection.execute(sa.update(runs).where(runs.c.run_id == run_id).values(**values))


def _get(connection: Connection, run_id: str) -> Run:
    return _run(connection.execute(sa.select(runs).where(runs.c.run_id == run_id)).one())


_FROM_ZERO = (
    "pages",
    "records",
    "changed",
    "quarantined",
    "tombstoned",
    "resumes",
    "restarts",
    "pass_pages",
    "found_late",
    "back_from",
    "back_to",
)
_COUNTS = ("pages", "records", "changed", "quarantined")
_ADVANCE = (
    sa.update(runs)
    .where(runs.c.run_id == sa.bindparam("run"))
    .values(
        {name: runs.c[name] + sa.bindparam(f"add_{name}") for name in _COUNTS}
        | {
            "pass_pages": runs.c.pass_pages + sa.bindparam("add_pages"),
            "page_token": sa.bindparam("token"),
            "updated_at": sa.bindparam("now"),
            "listing_requested_at": sa.func.coalesce(
                runs.c.listing_requested_at, sa.bindparam("requested_at")
            ),
        }
    )
    .returning(*runs.c)
)


def turn_page(
    connection: Connection,
    run: Run,
    counts: Mapping[str, int],
    page_token: str | None,
    times: tuple[int, int],
) -> Run:
    """Add a page to a run's counts and set its checkpoint; `times`: page asked for, now."""
    requested_at, now = times
    values: dict[str, Any] = {f"add_{name}": counts.get(name, 0) for name in _COUNTS}
    values |= {"run": run.run_id, "token": page_token, "requested_at": requested_at, "now": now}
    return _run(connection.execute(_ADVANCE, values).one())


def count_tombstones(connection: Connection, run: Run, buried: int, now: int) -> Run:
    """Add records that were found gone."""
    counts = {"tombstoned": runs.c.tombstoned + buried, "changed": runs.c.changed + buried}
    _update(connection, run.run_id, counts | {"updated_at": now})
    return _get(connection, run.run_id)


def count_changes(connection: Connection, run: Run, changed: int, now: int) -> Run:
    """Add changes that came outside the listing."""
    _update(connection, run.run_id, {"changed": runs.c.changed + changed, "updated_at": now})
    return _get(connection, run.run_id)
