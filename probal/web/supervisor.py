"""Keeps the worker process of a workspace running for as long as the server does."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger(__name__)

FIRST_PAUSE = 1.0
"""Seconds before a worker that died is started again; doubled each time,"""
LONGEST_PAUSE = 60.0
"""up to this long,"""
HEALTHY = 60.0
"""and reset once a worker has lived this long."""
GRACE = 10.0
"""Seconds a worker is given to stop before it is killed."""


class WorkerSupervisor:
    """Starts the worker, starts it again when it dies, and stops it.

    The worker gets this process's id and ends by itself when that is gone, so that a killed server leaves no
    orphan behind.
    """

    def __init__(self, workspace: Path, command: Sequence[str] | None = None) -> None:
        """`command` is what is run instead of the real worker; for tests."""
        self._command = command or (
            *(sys.executable, "-m", "probal.worker", str(workspace)),
            *("--parent-pid", str(os.getpid())),
        )
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self.starts = 0
        """How often the worker was started."""

    async def __aenter__(self) -> WorkerSupervisor:
        self._task = asyncio.create_task(self._keep_running())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._stop()

    async def _keep_running(self) -> None:
        pause = FIRST_PAUSE
        while True:
            started = time.monotonic()
            # a session of its own: Ctrl-C in the terminal is for the server, which then stops the worker
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
            )
            self.starts += 1
            code = await self._process.wait()
            if time.monotonic() - started > HEALTHY:
                pause = FIRST_PAUSE
            log.warning("the worker ended with code %d; starting it again in %.0f s", code, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), GRACE)
        except TimeoutError:
            process.kill()
            await process.wait()
