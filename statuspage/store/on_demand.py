"""What an installation with SQLite, already at this program's schema, starts without: what speaks to PostgreSQL, and Alembic.

The one place of this layer where dotted paths become modules.
"""

from __future__ import annotations

import importlib
from types import ModuleType

_MIGRATION = "statuspage.store.migration"
_POSTGRES = "statuspage.store.postgres"
_POSTGRES_DIALECT = "sqlalchemy.dialects.postgresql"


def migration() -> ModuleType:
    """store/migration.py, which runs Alembic."""
    return importlib.import_module(_MIGRATION)


def postgres() -> ModuleType:
    """store/postgres.py, which needs psycopg."""
    return importlib.import_module(_POSTGRES)


def postgres_dialect() -> ModuleType:
    """What SQLAlchemy can say to PostgreSQL alone."""
    return importlib.import_module(_POSTGRES_DIALECT)
