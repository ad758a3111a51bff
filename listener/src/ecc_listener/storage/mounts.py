"""On what kind of file system a folder lies, by the text of `/proc/self/mountinfo`."""

import re
from pathlib import PurePath

_OVER_A_NETWORK = re.compile(
    r"9p|afs|ceph|cifs|coda|davfs|fakeowner|glusterfs|lustre|ncpfs|nfs\d?|osxfs|smb\d?|smbfs|vboxsf"
    r"|fuse\.(ceph.*|davfs.*|glusterfs|grpcfuse|osxfs|rclone|s3fs|smbnetfs|sshfs|vmhgfs-fuse)"
)


def network_file_system(folder: PurePath, mount_info: str) -> str | None:
    """Name the file system of a resolved folder if it is shared over a network, or None.

    SQLite's WAL needs memory that all who have a file open share; other machines, and Docker Desktop's shared
    folders, have none.
    """
    deepest, kind = -1, ""
    for line in mount_info.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if not after or len(fields) < 5:  # noqa: PLR2004 - the mount point is the fifth
            continue
        point = PurePath(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]))
        # Of two on one place the later one hides the other.
        if folder.is_relative_to(point) and len(point.parts) >= deepest:
            deepest, kind = len(point.parts), after.split()[0]
    return kind if _OVER_A_NETWORK.fullmatch(kind) else None
