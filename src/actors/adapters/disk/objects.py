"""Objects as files of a directory, which several nodes may share, behind links that a node serves itself."""

import logging
import os
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, Self, TypeVar

import trio

from actors.attachments.links import KEY, DownloadGrant, Links
from actors.attachments.ports import SignedUpload, Terms
from chatcore.errors import ChatError, ErrorCode, invalid, not_found, unavailable

PIECE: Final = 262_144
"""Bytes that are read or written in one go."""
_SECRET_BYTES: Final = 32
_CLEAN_UP_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)

T = TypeVar("T")


class DiskObjects:
    """`ObjectStore` and `FileVault` over a directory: `objects/ab/abcd…` by key, `incoming/` while they come.

    A file appears under its key by a hard link once all of it is on the disk, so it is never seen in part and never
    replaced. The directory also keeps the secret of the links, so that those who share it accept each other's. Disk
    work is done by at most `threads` threads. The directory is made at its first use.
    """

    def __init__(self, directory: Path, now: Callable[[], float] = time.time, threads: int = 8) -> None:
        self._directory = directory
        self._objects = directory / "objects"
        self._incoming = directory / "incoming"
        self._links: Links | None = None
        self._now = now
        self._threads = trio.CapacityLimiter(threads)

    async def links(self) -> Links:
        if self._links is None:
            self._links = Links(await self._run(self._prepare), self._now)
        return self._links

    async def sign_upload(self, key: str, terms: Terms, lifetime: float) -> SignedUpload:
        links = await self.links()
        return SignedUpload(links.upload(key, terms, lifetime), {"Content-Type": terms.content_type})

    async def sign_download(self, key: str, file_name: str, content_type: str, lifetime: float) -> str:
        return (await self.links()).download(key, DownloadGrant(file_name, content_type), lifetime)

    async def holds(self, key: str, terms: Terms) -> bool:
        # Only what came with the promised type was stored.
        return await self.size(key) == terms.size

    async def delete(self, keys: Collection[str]) -> None:
        await self._run(partial(_delete, [self._path(key) for key in keys]))

    async def tidy(self, older_than: float, /) -> None:
        await self.links()
        await self._run(partial(_delete_older, self._incoming, self._now() - older_than))

    async def write(self, key: str, terms: Terms, chunks: AsyncIterable[bytes]) -> None:
        path = self._path(key)
        if await self.size(key) is not None:
            raise _is_there()
        part = self._incoming / f"{key}.{secrets.token_hex(8)}"
        file = await self._run(partial(_create, part))
        try:
            await self._receive(file, terms.size, chunks)
            await self._run(partial(_finish, file, path))
        finally:
            with trio.move_on_after(_CLEAN_UP_SECONDS, shield=True):
                await self._run(partial(_discard, file, part))

    async def size(self, key: str) -> int | None:
        return await self._run(partial(_size, self._path(key)))

    def read(self, key: str, start: int, stop: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self._read(self._path(key), start, stop)

    @asynccontextmanager
    async def _read(self, path: Path, start: int, stop: int) -> AsyncGenerator[AsyncIterator[bytes]]:
        file = await self._run(partial(_open, path, start))
        try:
            yield _Pieces(file, stop - start, self._run)
        finally:
            with trio.move_on_after(_CLEAN_UP_SECONDS, shield=True):
                await self._run(file.close)

    def _prepare(self) -> bytes:
        for each in (self._objects, self._incoming):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _shared_secret(self._directory)

    async def _receive(self, file: BinaryIO, size: int, chunks: AsyncIterable[bytes]) -> None:
        received = 0
        waiting = bytearray()
        async for chunk in chunks:
            received += len(chunk)
            if received > size:
                raise ChatError(ErrorCode.PAYLOAD_TOO_LARGE, f"The upload has more than the promised {size} bytes")
            waiting += chunk
            if len(waiting) >= PIECE:
                await self._run(partial(file.write, bytes(waiting)))
                waiting.clear()
        if received < size:
            raise invalid("size", f"has to be the promised {size} bytes, not {received}")
        await self._run(partial(file.write, bytes(waiting)))

    def _path(self, key: str) -> Path:
        if not KEY.fullmatch(key):
            raise not_found("The file")
        return self._objects / key[:2] / key

    async def _run(self, fn: Callable[[], T]) -> T:
        try:
            return await trio.to_thread.run_sync(fn, limiter=self._threads)
        except FileExistsError:
            raise _is_there() from None
        except FileNotFoundError:
            raise not_found("The file") from None
        except OSError as error:
            _log.error("attachments on disk: %s", error)
            raise unavailable("The file storage is away") from error


class _Pieces:
    """The next `left` bytes of a file; fewer where it ends."""

    def __init__(self, file: BinaryIO, left: int, run: Callable[[Callable[[], bytes]], Awaitable[bytes]]) -> None:
        self._file = file
        self._left = left
        self._run = run

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        piece = await self._run(partial(self._file.read, min(self._left, PIECE)))
        if not piece:
            raise StopAsyncIteration
        self._left -= len(piece)
        return piece


def _is_there() -> ChatError:
    return ChatError(ErrorCode.CONFLICT, "The file is uploaded already")


def _shared_secret(directory: Path) -> bytes:
    """The one in the directory, made by whoever comes first."""
    path = directory / "signing-key"
    with suppress(FileNotFoundError):
        return path.read_bytes()
    part = directory / f"signing-key.{secrets.token_hex(8)}"
    file = _create(part)
    try:
        file.write(secrets.token_bytes(_SECRET_BYTES))
        with suppress(FileExistsError):
            _finish(file, path)
    finally:
        _discard(file, part)
    return path.read_bytes()


def _create(path: Path) -> BinaryIO:
    return path.open("xb")


def _finish(file: BinaryIO, path: Path) -> None:
    """Give the file its name, all of it on the disk before and the name after. Raises `FileExistsError`."""
    file.flush()
    os.fsync(file.fileno())
    if not path.parent.exists():
        path.parent.mkdir(exist_ok=True, mode=0o700)
        _sync_directory(path.parent.parent)
    os.link(file.name, path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(file: BinaryIO, path: Path) -> None:
    try:
        file.close()
    finally:
        path.unlink(missing_ok=True)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _open(path: Path, start: int) -> BinaryIO:
    file = path.open("rb", buffering=0)
    file.seek(start)
    return file


def _delete(paths: Collection[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _delete_older(directory: Path, time: float) -> None:
    for path in directory.iterdir():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < time:
                path.unlink()
