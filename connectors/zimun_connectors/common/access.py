"""Who may read what a file sink publishes."""

import grp
import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from zimun_sync.errors import SinkBroken

_READ_BITS, _OWNER_ONLY = 0o444, 0o700


class PublishSettings(BaseModel):
    """Permissions of published files; a sink's private state is its owner's alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = Field(
        default="0640",
        description="Permissions of the published files, octal and quoted; a folder the sink "
        "creates gets the matching search permission.",
    )
    group: str | None = Field(
        default=None,
        description="Group that owns the published files; the daemon's user has to belong to it.",
    )

    def grant(self, path: Path) -> None:
        """Give a file or folder these permissions and that group.

        Raises:
            SinkBroken: this machine has no such group.
        """
        group = self.group_id()
        if group is not None:
            os.chown(path, -1, group)
        bits = int(self.mode, 8)
        search = (bits & _READ_BITS) >> 2
        path.chmod(bits | search | _OWNER_ONLY if path.is_dir() else bits)

    def group_id(self) -> int | None:
        """The group's number, or None to leave it as it is.

        Raises:
            SinkBroken: this machine has no such group.
        """
        if self.group is None:
            return None
        try:
            return grp.getgrnam(self.group).gr_gid
        except KeyError:
            raise SinkBroken(
                f"There is no group {self.group!r} on this machine (publish.group).",
                hint="Create it, or correct `publish: {group: …}` in the sink's settings.",
            ) from None
