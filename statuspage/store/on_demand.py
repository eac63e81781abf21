"""What an installation with SQLite, already at this program's schema, starts without: psycopg and Alembic.

The one place of this layer where dotted paths become modules.
"""

from __future__ import annotations

import importlib
from types import ModuleType

_MIGRATION = "statuspage.store.migration"
_POSTGRES = "statuspage.store.postgres"


def migration() -> ModuleType:
    """store/migration.py, which runs Alembic."""
    return importlib.import_module(_MIGRATION)


def postgres() -> ModuleType:
    """store/postgres.py, which needs psycopg."""
    return importlib.import_module(_POSTGRES)
