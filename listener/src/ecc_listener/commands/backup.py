"""`ecc-listener backup`: copy the database and its new archives to the backup folder."""

from datetime import UTC, datetime

from ecc_listener.backup.create import create_backup
from ecc_listener.settings import Settings
from ecc_listener.storage.connection import StoreError


def main(settings: Settings, _arguments: dict[str, object]) -> int:
    """Create a backup, print its files, and return the exit status: 1 if an archive could not be copied.

    Raises:
        StoreError: no backup could be created.

    """
    folder = settings.backup_folder
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the backup folder {folder} can't be created: {error.strerror}; choose another --backup_folder"
        ) from None
    created = create_backup(settings.database_file_path, folder, "manual", datetime.now(UTC))
    for path, size_bytes in created.files.items():
        print(f"{path}  {size_bytes / 1e6:,.1f} MB")
    for reason in created.errors:
        print(f"Not copied: {reason}")
    return 1 if created.errors else 0
