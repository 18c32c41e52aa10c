"""A SQLite state is refused where its locks and shared memory would not work."""

from pathlib import Path

import pytest

from tests.store.conftest import content
from zimun_sync.errors import StoreError
from zimun_sync.store import Store, filesystems
from zimun_sync.store.filesystems import filesystem_of, read_mounts, refuse_network_disk

#: As `cat /proc/self/mountinfo` shows it in a container with volumes of several kinds.
MOUNTS = r"""
600 500 0:50 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/a:/b
601 600 254:1 /volumes/data /data rw,relatime - ext4 /dev/vda rw,discard
602 600 0:61 / /data/share rw,relatime shared:3 - nfs4 files:/share rw,vers=4.2
603 600 0:62 / /home rw,relatime - autofs systemd-1 rw,fd=40
604 603 0:63 / /home rw,relatime - nfs files:/home rw
605 600 0:64 / /mnt/my\040documents rw - cifs //files/docs rw
606 600 0:65 / /media rw - fuse.sshfs someone@files:/ rw
607 600 0:66 / /pool rw - fuse.mergerfs a:b rw
608 600 0:67 / /local rw - xfs /dev/vdb rw
609 600 0:68 / /srv rw - nfs files:/srv rw
610 609 254:2 / /srv rw - btrfs /dev/vdc rw
""".lstrip()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/state.db", "overlay"),
        ("/data/state.db", "ext4"),
        ("/data/share/state.db", "nfs4"),
        ("/data/shared/state.db", "ext4"),
        ("/home/someone/state.db", "nfs"),
        ("/mnt/my documents/state.db", "cifs"),
        ("/pool/state.db", "fuse.mergerfs"),
        ("/srv/state.db", "btrfs"),
    ],
)
def test_the_filesystem_of_a_path(path: str, kind: str) -> None:
    assert filesystem_of(Path(path), MOUNTS) == kind


@pytest.mark.parametrize(
    "path",
    [
        "/data/share/deep/state.db",
        "/home/state.db",
        "/mnt/my documents/state.db",
        "/media/state.db",
    ],
)
def test_a_network_filesystem_is_refused(path: str) -> None:
    with pytest.raises(StoreError, match="network filesystem") as raised:
        refuse_network_disk(Path(path), lambda: MOUNTS)
    assert path in raised.value.message
    assert filesystem_of(Path(path), MOUNTS) in raised.value.message
    assert "local disk" in raised.value.hint
    assert "PostgreSQL" in raised.value.hint


@pytest.mark.parametrize("path", ["/data/state.db", "/pool/state.db", "/local/x", "/srv/state.db"])
def test_a_local_one_is_not(path: str) -> None:
    refuse_network_disk(Path(path), lambda: MOUNTS)


@pytest.mark.parametrize("mounts", ["", "\n", "not what the kernel writes\n", "1 2 3 - nfs\n"])
def test_nothing_is_refused_where_nothing_is_known(mounts: str) -> None:
    refuse_network_disk(Path("/data/state.db"), lambda: mounts)


def test_this_machines_own_mounts_can_be_read(tmp_path: Path) -> None:
    mounts = read_mounts()
    assert (filesystem_of(tmp_path, mounts) != "") is filesystems.MOUNTS.exists()


def test_no_state_is_made_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = tmp_path / "mountinfo"
    listed.write_text(f"1 0 0:1 / {tmp_path}/share rw - nfs4 files:/ rw\n")
    monkeypatch.setattr(filesystems, "MOUNTS", listed)
    share = tmp_path / "share"
    share.mkdir()
    with pytest.raises(StoreError, match="network filesystem"):
        Store.open("sqlite:///share/var/state.db", tmp_path)
    assert content(share) == {}
    (tmp_path / "link").symlink_to(share)
    with pytest.raises(StoreError, match="network filesystem"):
        Store.open("sqlite:///link/state.db", tmp_path)
    monkeypatch.setattr(filesystems, "MOUNTS", tmp_path / "another system has no such file")
    with Store.open("sqlite:///share/state.db", tmp_path) as store:
        assert store.store_id
