"""What the rules for the system need to know about the machine; read from the disk and the limits file."""

import os
from contextlib import suppress

from ecc_listener.monitoring.limits_file import LimitsFile
from ecc_listener.monitoring.system import Environment
from ecc_listener.settings import Settings


def read_environment(settings: Settings, limits: LimitsFile) -> Environment:
    """Return the free disk space (0 if unknown) and the mistakes in the limits file."""
    folder = settings.database_file_path.absolute().parent
    free_bytes = total_bytes = 0
    with suppress(OSError):
        disk = os.statvfs(folder)
        free_bytes, total_bytes = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    return Environment(
        free_bytes=free_bytes,
        total_bytes=total_bytes,
        folder=str(folder),
        expects_backup=settings.automatic_backup and settings.database_url is None,
        limits_problems=limits.problems,
        limits_file=str(settings.limits_file_path),
    )
