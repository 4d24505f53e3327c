"""Kafka's client library reads every record, also one with a header whose name is no UTF-8.

Brokers and the Java client take such a name; aiokafka raises on it, in its C extension as in its Python, whenever it
is fetched, so that a consumer would stand in front of that record for ever. Its bytes come out as U+FFFD here.
"""

from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy


class KeptRecords(MemoryRecords):  # type: ignore[misc]
    """What one fetch brought of a partition; the bytes stay at hand in case they have to be read again."""

    def __init__(self, fetched: bytes) -> None:
        super().__init__(fetched)
        self.fetched = fetched


class LenientRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """Records of one fetch in order. Costs nothing until the library fails on a name of a header.

    From that record on the fetch is read by the library's own Python parser, with names decoded leniently.
    """

    _records: Any
    _records_iterator: Any

    def __next__(self) -> Any:
        try:
            return next(self._records_iterator)
        except StopIteration:
            self._records_iterator = None  # breaks a cycle, as in the library
            raise
        except (UnicodeDecodeError, CorruptRecordException) as error:
            # the C extension raises the first, the Python parser wraps it in the second
            about_text = isinstance(error, UnicodeDecodeError) or isinstance(error.__cause__, UnicodeDecodeError)
            if not about_text or not isinstance(self._records, KeptRecords):
                raise
        # what was given out already lies below `next_fetch_offset` and is passed over
        self._records = _LenientMemory(self._records.fetched, self.next_fetch_offset)
        self._records_iterator = self._unpack_records()
        return next(self)


class _LenientMemory(_MemoryRecordsPy):  # type: ignore[misc]
    """The batches of a fetch that end at or behind an offset."""

    def __init__(self, fetched: bytes, offset: int) -> None:
        super().__init__(fetched)
        while self._has_headers() and _LenientBatch(self._next_slice).next_offset <= offset:
            self._cache_next()

    def _has_headers(self) -> bool:
        """Whether the next batch is there and in the format of Kafka 0.11, the first with headers."""
        return bool(self.has_next() and self._next_slice[self.MAGIC_OFFSET] >= 2)

    def next_batch(self) -> Any:
        if not self._has_headers():
            return super().next_batch()
        batch = _LenientBatch(self._next_slice)
        self._cache_next()
        return batch


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A batch whose parser cannot fail on text."""

    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Bytes(self._buffer)


class _Bytes(bytearray):
    """Bytes of which every part becomes text, whatever it holds."""

    def __getitem__(self, where: SupportsIndex | slice) -> Any:
        part = super().__getitem__(where)
        return _Bytes(part) if isinstance(part, bytearray) else part

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Never raises: only names of headers are decoded here."""
        return super().decode(encoding, "replace")


def install() -> None:
    """Makes every consumer of this process lenient. The library names both classes in one module only."""
    fetcher.MemoryRecords = KeptRecords
    fetcher.PartitionRecords = LenientRecords
