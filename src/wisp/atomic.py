"""Files that appear whole or not at all.

A reader never sees half a file, and a failure (full disk, interrupt, power cut) leaves the old file, or no
file: the bytes go to a new file beside the target, are flushed to the disk, and a rename puts them in place.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from wisp.errors import CodecError, UsageError


def refuse_existing(path: str | os.PathLike[str], force: bool) -> None:
    """Raise UsageError if writing to `path` would destroy something that `force` does not allow to go.

    Devices and pipes (`/dev/null`, `/dev/stdout`) hold nothing that could be lost and always pass; a
    directory never does.
    """
    target = Path(path)
    try:
        mode = os.stat(target).st_mode
    except (OSError, ValueError) as fault:
        if getattr(fault, "errno", None) == errno.ENAMETOOLONG:
            raise UsageError(
                f"expected a name that the disk allows, found {len(target.name)} characters; shorten it"
            ) from None
        return  # nothing there; if the place itself is at fault, writing says so
    if stat.S_ISDIR(mode):
        raise UsageError(
            f"expected a file to write, found the directory {os.fspath(path)!r}; name a file in it"
        )
    if stat.S_ISREG(mode) and not force:
        raise UsageError(f"{os.fspath(path)!r} exists already; choose another name or overwrite it with -f")


def write_bytes_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path`, replacing what is there, so that `path` is never seen half-written.

    A symbolic link is followed, and an existing file's permissions are kept. A device or pipe is written to
    directly, as there is nothing to rename.

    Raises:
        UsageError: the directory is missing or not writable, or `path` is a directory.
        CodecError: the disk failed or is full; nothing is left behind.
    """
    try:
        _write(Path(path), data)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"cannot write {os.fspath(path)!r}: expected a writable place, found: {reason}; choose another"
        ) from error
    except OSError as error:
        raise CodecError(
            f"cannot write {os.fspath(path)!r}: {error.strerror or error}; nothing was left behind"
        ) from error


def _write(path: Path, data: bytes) -> None:
    target = Path(os.path.realpath(path))
    permissions: int | None = None
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(target).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(21, "it is a directory")
        if not stat.S_ISREG(mode):
            with open(target, "wb") as device:
                device.write(data)
            return
        permissions = stat.S_IMODE(mode)

    # A short random name: one derived from the target's could exceed the 255 bytes that most systems allow.
    # Made with os.open and not with tempfile, whose files are private to the user whatever the umask says.
    part = target.parent / f".wisp-{os.urandom(8).hex()}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(part, flags, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if permissions is not None:
            os.chmod(part, permissions)
        os.replace(part, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    _flush_directory(target.parent)


def _flush_directory(directory: Path) -> None:
    """Make the rename itself survive a power cut, where the system can (Windows cannot open directories)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
