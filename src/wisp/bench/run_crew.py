"""Several processes that measure, a picture each at a time; what they find arrives here as they find it."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from wisp.bench.run_picture import Message, PictureTask, measure_picture
from wisp.bench.workshop import ONE_THREAD, Tools, Workshop, environment, one_thread, open_workshop
from wisp.errors import CodecError
from wisp.imaging.wording import one_line

_SECONDS_TO_END = 5.0  # before a process that was asked to end is ended


@dataclass(frozen=True)
class _Ready:
    """A worker has nothing to do."""


@dataclass(frozen=True)
class _Broken:
    """A worker met an error that is no codec's and no picture's."""

    reason: str


def measure_here(tasks: Sequence[PictureTask], workshop: Workshop) -> Generator[Message, None, None]:
    """Everything in this process, one picture after the other."""
    for task in tasks:
        yield from measure_picture(task, workshop)


def measure_with_crew(
    tasks: Sequence[PictureTask], tools: Tools, jobs: int
) -> Generator[Message, None, None]:
    """The same by `jobs` processes of one thread each; messages of different pictures mix.

    Closing the iterator, or an exception in it, ends the processes.

    Raises:
        CodecError: a process failed or was killed.
    """
    waiting = list(reversed(tasks))
    crew: dict[Connection, SpawnProcess] = {}
    try:
        with environment(ONE_THREAD):
            for _ in range(min(jobs, len(tasks))):
                ours, process = _start(tools)
                crew[ours] = process
        while crew:
            for connection in wait(list(crew)):
                assert isinstance(connection, Connection)
                try:
                    message: Message | _Ready | _Broken = connection.recv()
                    if isinstance(message, _Ready) and waiting:
                        connection.send(waiting.pop())
                        continue
                except (EOFError, OSError) as fault:
                    raise _lost(crew[connection]) from fault
                if isinstance(message, _Broken):
                    raise CodecError(f"a measuring process failed: {message.reason}")
                if isinstance(message, _Ready):
                    connection.close()
                    crew.pop(connection).join(_SECONDS_TO_END)
                else:
                    yield message
    finally:
        for connection, process in crew.items():
            connection.close()
            process.terminate()
        for process in crew.values():
            process.join(_SECONDS_TO_END)


def _start(tools: Tools) -> tuple[Connection, SpawnProcess]:
    context = multiprocessing.get_context("spawn")  # a forked copy of torch's threads would hang
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, tools), daemon=True)
    with _interrupts_left_to_the_parent():
        process.start()
    theirs.close()  # so that the worker's death is seen as the end of what it says
    return ours, process


@contextmanager
def _interrupts_left_to_the_parent() -> Iterator[None]:
    """Processes started meanwhile ignore Ctrl-C from their first moment; whoever started them ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _lost(process: SpawnProcess) -> CodecError:
    process.join(_SECONDS_TO_END)
    return CodecError(
        f"expected a measuring process to go on, found it ended with code {process.exitcode}; the rows so far "
        "are kept: run the same command again, with fewer --jobs if memory was short"
    )


def _serve(connection: Connection, tools: Tools) -> None:
    """A worker's life: ready, a task, its messages, ready, ... until nobody is there to listen."""
    try:
        with one_thread():
            workshop = open_workshop(tools)
            while True:
                connection.send(_Ready())
                for message in measure_picture(connection.recv(), workshop):
                    connection.send(message)
    except Exception as fault:
        with suppress(OSError):
            connection.send(_Broken(one_line(fault)))
