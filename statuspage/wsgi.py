"""Composition root for another WSGI server: the public page alone, for those who want more of one core than waitress gives.

`granian --interface wsgi --factory statuspage.wsgi:page` beside `statuspage worker`, console included elsewhere (PostgreSQL). One
server process for each published folder: it publishes as well, and two would write the same files.
"""

from __future__ import annotations

import atexit

from statuspage import app, logs
from statuspage.errors import SettingsError
from statuspage.installation import open_installation
from statuspage.web.fastpath import FastPath
from statuspage.worker import main as worker
from statuspage.worker.loops import Supervisor


def page() -> FastPath:
    """The fast path over the public site, kept up to date by a publisher of its own until the process ends.

    Settings come from the environment. Raises SettingsError, also with SQLite: `statuspage serve` is its one process.
    """
    home = open_installation(serves=True)
    found, ctx = home.settings, home.ctx
    if not found.database_url:
        message = "a WSGI server of its own needs STATUSPAGE_DATABASE_URL=postgresql://…; with SQLite run `statuspage serve`"
        raise SettingsError(message)
    logs.configure(found.log_format, found.log_level)
    fast, publisher = app.public_page(found, ctx)
    supervisor = Supervisor(worker.loops(found, ctx, publisher, probing=False))
    supervisor.start()
    atexit.register(supervisor.stop, found.drain_s)
    return fast
