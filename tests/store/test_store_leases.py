import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec
import pytest

from tests.store.conftest import State, rows
from zimun_sync.errors import LeaseHeld, LeaseLost, StoreError
from zimun_sync.store import LEASE_SECONDS, Lease, Store
from zimun_sync.store.leases import Holder, check
from zimun_sync.store.schema import leases


def test_a_held_lease_is_refused_with_its_holder(state: State, store: Store) -> None:
    store.leases.acquire("source:main")
    with pytest.raises(LeaseHeld, match=rf"source:main.*on {socket.gethostname()}") as refused:
        state.open().leases.acquire("source:main")
    assert refused.value.hint


def test_leases_of_other_names_are_free(store: Store) -> None:
    store.leases.acquire("source:main")
    assert store.leases.acquire("sink:files").epoch == 1


def test_a_released_lease_is_free_at_once_and_its_epoch_is_never_used_again(store: Store) -> None:
    first = store.leases.acquire("source:main")
    store.leases.release(first)
    second = store.leases.acquire("source:main")
    assert second.epoch > first.epoch
    with pytest.raises(LeaseLost):
        store.leases.renew(first)


def test_a_lease_runs_out_unless_it_is_renewed(state: State, store: Store) -> None:
    held = store.leases.acquire("source:main")
    state.clock.forward(LEASE_SECONDS - 1)
    store.leases.renew(held)
    state.clock.forward(LEASE_SECONDS - 1)
    with pytest.raises(LeaseHeld):
        store.leases.acquire("source:main")
    state.clock.forward(2)
    assert store.leases.acquire("source:main").epoch > held.epoch


def test_an_expired_lease_that_nobody_took_is_still_good(state: State, store: Store) -> None:
    held = store.leases.acquire("source:main")
    state.clock.forward(LEASE_SECONDS * 10)
    store.leases.renew(held)
    with pytest.raises(LeaseHeld):
        store.leases.acquire("source:main")


def test_letting_go_of_a_lost_lease_does_not_free_it(state: State, store: Store) -> None:
    lost = store.leases.acquire("source:main")
    state.clock.forward(LEASE_SECONDS + 1)
    store.leases.acquire("source:main")
    store.leases.release(lost)
    with pytest.raises(LeaseHeld):
        store.leases.acquire("source:main")


def test_the_lease_of_a_process_that_ended_is_free_at_once(state: State, store: Store) -> None:
    take_and_end = (
        "import sys; from pathlib import Path; from zimun_sync.store import Store; "
        "from datetime import datetime; now = datetime.fromisoformat(sys.argv[3]); "
        "Store.open(sys.argv[1], Path(sys.argv[2]), lambda: now).leases.acquire('source:main')"
    )
    now = state.clock.now.isoformat()
    arguments = [sys.executable, "-c", take_and_end, state.url, str(state.folder), now]
    subprocess.run(arguments, check=True)
    assert [row["epoch"] for row in rows(store, leases)] == [1]
    assert store.leases.acquire("source:main").epoch == 2


@pytest.mark.parametrize(("host", "held"), [("elsewhere", True), (socket.gethostname(), False)])
def test_only_its_own_host_can_tell_that_a_process_ended(
    state: State, store: Store, host: str, held: bool
) -> None:
    store.leases.acquire("source:main")
    gone = Holder(host=host, pid=2**22 + 1, started=1, since=0)
    with store._database.write(durable=False) as connection:
        connection.execute(leases.update().values(holder=msgspec.json.encode(gone).decode()))
    if held:
        with pytest.raises(LeaseHeld):
            store.leases.acquire("source:main")
        state.clock.forward(LEASE_SECONDS + 1)
    assert store.leases.acquire("source:main").epoch == 2


def test_of_many_that_reach_for_a_lease_at_once_one_gets_it(state: State, store: Store) -> None:
    """The first time above all: there is no row yet that could be locked."""
    stores = [state.open() for _ in range(4)]
    barrier = Barrier(len(stores))

    def reach(rival: Store, name: str) -> int:
        barrier.wait()
        try:
            return rival.leases.acquire(name).epoch
        except LeaseHeld:
            return 0

    with ThreadPoolExecutor(len(stores)) as threads:
        for number in range(24):
            name, epoch = f"source:{number // 3}", number % 3 + 1
            epochs = list(threads.map(reach, stores, [name] * len(stores)))
            assert sorted(epochs) == [0, 0, 0, epoch]
            store.leases.release(Lease(name, epoch))


def test_nobody_takes_over_in_the_midst_of_a_commit(state: State, store: Store) -> None:
    """Else the commit of a holder that had been checked would come after its heir's first one."""
    held = store.leases.acquire("source:main")
    state.clock.forward(LEASE_SECONDS + 1)
    state.url += "" if state.is_sqlite else "%20-clock_timeout%3D50ms"
    heir = state.open(busy_seconds=0.05)
    with store._database.write(durable=False) as connection:
        check(connection, held)
        with pytest.raises(StoreError) as refused:
            heir.leases.acquire("source:main")
        assert type(refused.value) is StoreError
    assert heir.leases.acquire("source:main").epoch == 2
