"""Stretches of a file, and bytes put between them, read as one file."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, BinaryIO

Piece = bytes | range
"""Bytes as they are, or where they stand in the file."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a decoder is given as a file of its own: a recording, or one of several in a row.

    `announced` is how many frames the file says there are, and `announced_share` how many of the
    announced bytes are there; a part that `is_open` announces nothing. `headerless` is libsndfile's
    description of bare samples. A part that only ends with a whole block of `block_frames` may
    have been cut off.
    """

    pieces: tuple[Piece, ...]
    announced: int | None = None
    announced_share: float = 1.0
    is_open: bool = False
    headerless: dict[str, Any] | None = None
    block_frames: int | None = None

    def frames(self, decoder_frames: int) -> int | None:
        """How many frames it announces, given how many the decoder expects; None if it does not."""
        if self.is_open:
            return None
        if self.announced is not None:
            return self.announced
        return round(decoder_frames / self.announced_share) if decoder_frames < 2**62 else None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a file is read: its parts in order, and what is odd about it."""

    parts: tuple[Part, ...]
    warnings: tuple[str, ...] = ()


class ByteView(io.RawIOBase):
    """Pieces of a file as one file; `failure` is the system's error, which ends it early."""

    def __init__(self, file: BinaryIO, pieces: tuple[Piece, ...]) -> None:
        self._file = file
        self._pieces = pieces
        self._ends = list(accumulate(len(piece) for piece in pieces))
        self._at = 0
        self.failure: OSError | None = None

    @property
    def size(self) -> int:
        """Bytes in all pieces."""
        return self._ends[-1] if self._ends else 0

    def readable(self) -> bool:
        """It is only read."""
        return True

    def seekable(self) -> bool:
        """Decoders look for what they know at the end."""
        return True

    def tell(self) -> int:
        """The position in the view."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, beyond the end as well."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer across pieces: decoders take a short read for the end."""
        target, done = memoryview(buffer), 0
        for piece, end in zip(self._pieces, self._ends, strict=True):
            while self._at < end and done < len(target):
                some = self._from(piece, len(piece) - (end - self._at), len(target) - done)
                if not some:
                    return done
                target[done : done + len(some)] = some
                done += len(some)
                self._at += len(some)
        return done

    def _from(self, piece: Piece, start: int, count: int) -> bytes:
        if isinstance(piece, bytes):
            return piece[start : start + count]
        try:
            self._file.seek(piece.start + start)
            return self._file.read(min(count, len(piece) - start))
        except OSError as error:  # a decoder in C cannot pass it on
            self.failure = error
            return b""
