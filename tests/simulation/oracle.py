"""Whether a world at rest is as it should be."""

from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.simulation.process import SOURCE
from tests.simulation.real import COLUMNS, RealSink
from tests.simulation.records import is_readable, reference
from tests.simulation.rest import check_rest
from tests.simulation.world import World

Rows = Mapping[str, Mapping[str, Any]]


def check(world: World) -> None:
    """Tell the world of everything that is wrong with it."""
    for name, held in world.held.items():
        check_appointments(world, name, held.of("appointments"))
        check_versions(world, name, held.of("appointment_versions"), held.of("appointments"))
        if world.profile.staff:
            world.expect(f"{name}: staff", set(held.of("staff")), set(world.source.staff))
    if world.real is not None:
        check_real(world, world.real)
    check_rest(world)


def check_real(world: World, real: RealSink) -> None:
    """A real connector's files show what the simulated sink holds."""
    held = {
        key: {name: row[name] or "" for name in COLUMNS}
        for key, row in world.held["first"].of("appointments").items()
    }
    world.expect(f"appointments in {real.kind}", real.rows(), held)


def check_appointments(world: World, name: str, rows: Rows) -> None:
    """A sink holds exactly what the source has."""
    wanted = world.source.appointments
    for key in sorted({*rows, *wanted}):
        content = wanted.get(key)
        if content is None:
            world.violated(f"{name}: {key} is there, but gone at the source")
        elif is_readable(content):
            world.compare(f"{name}: {key}", rows.get(key), reference(content, world.zones))
        elif key in rows:
            check_unreadable(world, name, key, rows[key])


def check_unreadable(world: World, name: str, key: str, row: Mapping[str, Any]) -> None:
    """A record that nobody can read now stands as it could be read last, at some time."""
    zones = world.zones
    known = [reference(each, zones) for each in world.source.said.get(key, [])]
    # Whoever only saw an event that lacked the bad field knows no better.
    if not any(_may_be(row, each) for each in known):
        world.violated(f"{name}: {key} cannot be read, and is {row}")


def _may_be(row: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    return all(row[at] in (known[at], None) for at in known.keys() - {"updated_at"})


def check_versions(world: World, name: str, versions: Rows, rows: Rows) -> None:
    """Each appointment's versions follow each other without a gap, up to what stands."""
    by_key: dict[str, list[Mapping[str, Any]]] = {}
    for row in versions.values():
        by_key.setdefault(row["appointment_id"], []).append(row)
    for key, chain in by_key.items():
        chain.sort(
            key=lambda row: (
                row["valid_from"],
                row["valid_to"] or datetime.max.replace(tzinfo=row["valid_from"].tzinfo),
            )
        )
        for before, after in pairwise(chain):
            if before["valid_to"] != after["valid_from"]:
                world.violated(f"{name}: versions of {key} leave a gap or overlap")
        check_last_version(world, f"{name}: {key}", chain[-1], rows.get(key))
    known = {key for key, _ in world.process.store.feed.hashes(SOURCE, "appointment_versions")}
    world.expect(f"{name}: versions", set(versions), known)


def check_last_version(
    world: World, where: str, last: Mapping[str, Any], row: Mapping[str, Any] | None
) -> None:
    """The last version is what stands."""
    if last["valid_to"] is not None or last["is_deleted"] != (row is None):
        world.violated(f"{where}: its last version does not stand: {last}")
    elif row is not None and any(last[each] != row[each] for each in ("status", "starts_at")):
        world.violated(f"{where}: its last version is another than what stands")
