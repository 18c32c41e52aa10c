"""A state that cannot be reached for a while is told like any other trouble, and comes back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.states import put_new_state
from zimun_sync.errors import StateUnreadable, StoreError
from zimun_sync.store import Store


def _file(folder: Path) -> None:
    folder.write_text("in the way")


def _circle(folder: Path) -> None:
    folder.symlink_to(folder)


@pytest.mark.parametrize(
    ("block", "told"), [(_file, "Not a directory"), (_circle, "symbolic links")]
)
def test_a_folder_that_cannot_be_entered_is_told(
    tmp_path: Path, block: Callable[[Path], None], told: str
) -> None:
    folder = tmp_path / "var"
    folder.mkdir()
    put_new_state(folder)
    with Store.open("sqlite:///state.db", folder) as store:
        heads = store.feed.heads()
        folder.rename(tmp_path / "away")
        block(folder)
        with pytest.raises(StoreError, match=told) as caught:
            store.feed.heads()
        assert not isinstance(caught.value, StateUnreadable)
        assert str(folder / "state.db") in caught.value.message
        assert "mounted" in caught.value.hint
        folder.unlink()
        (tmp_path / "away").rename(folder)
        assert store.feed.heads() == heads
