"""A project in one file, and back; what lies in the file stands in `probal.backup.layout`."""

from probal.backup.read import RestoreReport, restore
from probal.backup.write import BackupReport, backup

__all__ = ["BackupReport", "RestoreReport", "backup", "restore"]
