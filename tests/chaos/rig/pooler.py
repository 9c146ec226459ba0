"""PgBouncer in transaction mode in front of a PostgreSQL server."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy.engine import URL, make_url

from tests.servers import free_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
"""None if it is not installed."""

SERVER_CONNECTIONS = 3
"""Fewer than the app's processes have connections, so that sessions change hands all the time."""


@asynccontextmanager
async def pooled(database_url: str) -> AsyncIterator[str]:
    """Run PgBouncer and yield the URL of the same database through it."""
    url, port = make_url(database_url), free_port()
    folder = Path(mkdtemp(prefix="usergems-pgbouncer-"))
    process = await asyncio.create_subprocess_exec(*_command(url, port, folder), stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(20):
            await _answers(port)
        yield f"postgresql://{url.username}@127.0.0.1:{port}/{url.database}"
    finally:
        process.terminate()
        await process.wait()
        shutil.rmtree(folder)


def _command(url: URL, port: int, folder: Path) -> list[str]:
    """Write the configuration into the folder and return the command line."""
    assert PGBOUNCER
    socket = url.query.get("host") or url.host
    users, config = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{url.username}" ""\n')
    config.write_text(
        f"""
[databases]
{url.database} = host={socket} port={url.port or 5432} user={url.username} dbname={url.database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file = {users}
pool_mode = transaction
default_pool_size = {SERVER_CONNECTIONS}
max_client_conn = 200
"""
    )
    folder.chmod(0o755)
    # It refuses to run as root, and must be allowed to use the server's socket.
    user = ["-u", Path(str(socket)).owner()] if os.getuid() == 0 else []
    return [PGBOUNCER, *user, str(config)]


async def _answers(port: int) -> None:
    while True:
        with suppress(OSError):
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
