"""How a store is: what its file system is, whether the file is whole, who holds or left what."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from .locks import is_alive
from .store import Store

MOUNTS = Path("/proc/self/mounts")
"""Where Linux says what is mounted; other systems have no such file, and nothing is known there."""
_NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "9p", "davfs", "ceph"),
        *("glusterfs", "lustre", "beegfs", "gpfs", "ocfs2", "gfs2"),
    }
)
_NETWORK_FUSE = ("sshfs", "glusterfs", "s3fs", "rclone", "gcsfuse", "goofys", "davfs", "ceph")


@dataclass(frozen=True, slots=True)
class Health:
    """What was found in a store that could be opened."""

    version: int
    bytes: int
    damage: str
    """The first finding of SQLite's quick check; empty when there is none."""
    readable_by_others: bool
    writable: bool
    held: tuple[str, ...]
    """Branches whose lease a living process holds."""
    left: tuple[str, ...]
    """Branches whose lease a process left behind that has ended."""


def examine(store: Store) -> Health:
    """The health of an open store; reads the whole file once."""
    file = store.path / "verbalrl.db"

    def read(connection: sqlite3.Connection) -> Health:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        leases = connection.execute("SELECT branch, token FROM leases WHERE held = 1").fetchall()
        alive = {branch: is_alive(store.path, token) for branch, token in leases}
        status = file.stat()
        return Health(
            version=version,
            bytes=status.st_size,
            damage="" if found == "ok" else " ".join(found.split()),
            readable_by_others=bool(status.st_mode & 0o077),
            writable=store.writable,
            held=tuple(branch for branch, lives in alive.items() if lives),
            left=tuple(branch for branch, lives in alive.items() if not lives),
        )

    return store._read(read)


def network_file_system(folder: Path, mounts: str | None = None) -> str | None:
    """The network file system that `folder`, or where it would be made, is on; None if on none.

    SQLite's locks and shared memory do not hold over a network.
    """
    if mounts is None:
        try:
            mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return None
    place = folder.expanduser().resolve()
    best, found = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " ").replace("\\011", "\t"))
        # The later of two mounts on one point is the one that is seen.
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, found = len(point.parts), fields[2]
    kind, _, fuse = found.partition(".")
    is_network = found in _NETWORK or (kind == "fuse" and fuse.startswith(_NETWORK_FUSE))
    return found if is_network else None
