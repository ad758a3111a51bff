"""A small ext4 of its own, that gets full, fails and stops as when the power goes."""

import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from typing import NamedTuple

from faults.ledger import sh
from support.brokers import until

SHUTDOWN_IOCTL = 0x8004587D
"""EXT4_IOC_SHUTDOWN: the file system stops at once, as when the power goes; 2 keeps the journal as it is."""


class Disk(NamedTuple):
    """The device stays when it is unmounted, as a real one does."""

    device: str
    mount: Path

    @property
    def ballast(self) -> Path:
        return self.mount / "ballast"

    def fill(self) -> None:
        """Leave not a byte free; remove `ballast` for room."""
        for size in ("64k", "1k"):
            # What was set aside for the large file's own blocks is free once it is written. Both end with an
            # error, for want of space.
            options = [f"bs={size}", "oflag=append", "conv=notrunc,fsync"]
            command = ["dd", "if=/dev/zero", f"of={self.ballast}", *options]
            subprocess.run(command, check=False, capture_output=True)

    def stop(self) -> None:
        handle = os.open(self.mount, os.O_RDONLY)
        try:
            ioctl(handle, SHUTDOWN_IOCTL, struct.pack("I", 2))
        finally:
            os.close(handle)

    def remount(self) -> None:
        until(self._is_mounted_anew, 30)

    def _is_mounted_anew(self) -> bool:
        sh("umount", self.mount)
        subprocess.run(["fsck.ext4", "-p", self.device], check=False, capture_output=True)
        sh("mount", "-o", "errors=remount-ro", self.device, self.mount)
        try:
            (self.mount / "probe").touch()
        except OSError:
            # A container that starts just now has a copy of all mounts for a moment, which keeps alive what
            # was stopped.
            return False
        return True


@contextmanager
def disk(where: Path) -> Iterator[Disk]:
    """Lend one of 64 MB."""
    image, mount = where / "disk.img", where / "disk"
    mount.mkdir()
    sh("truncate", "-s", "64M", image)
    sh("mkfs.ext4", "-q", image)
    device = sh("losetup", "--find", "--show", image).strip()
    sh("mount", "-o", "errors=remount-ro", device, mount)
    try:
        yield Disk(device, mount)
    finally:
        sh("umount", mount)
        sh("losetup", "--detach", device)
