from pathlib import PurePath

import pytest

from ecc_listener.storage.mounts import network_file_system

MOUNTS = r"""
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:36 / /srv/nas rw shared:5 - nfs4 nas:/share rw
41 40 254:2 / /srv/nas/local rw - ext4 /dev/vdb rw
42 22 0:37 / /home/ann/over\040ssh rw - fuse.sshfs ann@x: rw
43 22 0:38 / /mnt rw - cifs //nas/share rw
44 22 254:3 / /mnt rw - xfs /dev/vdc rw
a line that is none
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", None),
        ("/var/lib", None),
        ("/srv/nas", "nfs4"),
        ("/srv/nas/db/data", "nfs4"),
        ("/srv/nasty", None),
        ("/srv/nas/local/db", None),
        ("/home/ann/over ssh/db", "fuse.sshfs"),
        ("/mnt/db", None),
    ],
)
def test_a_folder_has_the_file_system_of_the_deepest_mount_that_was_made_last(
    folder: str, kind: str | None
) -> None:
    assert network_file_system(PurePath(folder), MOUNTS) == kind


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "vboxsf", "fuse.grpcfuse"]
)
def test_what_other_machines_share_is_no_place(kind: str) -> None:
    assert network_file_system(PurePath("/db"), f"1 0 0:1 / /db rw - {kind} x rw") == kind


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "overlay", "tmpfs", "zfs", "fuse.ntfs-3g", "vfat"])
def test_a_disk_of_this_machine_is_one(kind: str) -> None:
    assert network_file_system(PurePath("/db"), f"1 0 0:1 / /db rw - {kind} x rw") is None
