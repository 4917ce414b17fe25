"""What is deleted from an LMDB file is in it no more, and nothing else of it changes."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.storage.lmdb_environment import Database, LmdbEnvironment
from foundation.storage.lmdb_pages import PageFormatError
from foundation.storage.lmdb_scrub import Scrubbed, scrub
from foundation.storage.lmdb_separators import forget_separators
from foundation.storage.names import StorageNames

NAMES = StorageNames("things", "things.url", "things.prefix", "make room", "make room")
MARK = b"to be forgotten "
SIZES = (0, 10, 300, 1_900, 2_100, 4_000, 9_000, 30_000)


@contextmanager
def opened(folder: Path) -> Iterator[LmdbEnvironment]:
    environment = LmdbEnvironment(
        folder,
        (b"a", b"b", b"meta"),
        NAMES,
        map_initial_bytes=1 << 26,
        map_max_bytes=1 << 28,
        max_readers=20,
        sync=False,
        renewed_by=(b"meta", b"renewal"),
    )
    try:
        yield environment
    finally:
        environment.close()


def put(environment: LmdbEnvironment, rows: list[tuple[bytes, bytes, bytes]]) -> None:
    environment.write(
        lambda transaction: [
            transaction.put(key, value, db=environment.databases[name]) for name, key, value in rows
        ]
    )


def contents(environment: LmdbEnvironment) -> dict[tuple[bytes, bytes], bytes]:
    def read(transaction: lmdb.Transaction) -> dict[tuple[bytes, bytes], bytes]:
        return {
            (name, bytes(key)): bytes(value)
            for name in (b"a", b"b")
            for key, value in transaction.cursor(db=environment.databases[name])
        }

    return environment.read(read)


def forget(environment: LmdbEnvironment) -> None:
    """Deletes what is marked, and asks all processes to open the environment anew."""

    def work(transaction: lmdb.Transaction) -> None:
        for name in (b"a", b"b"):
            database = environment.databases[name]
            marked = [bytes(key) for key, value in transaction.cursor(db=database) if value.startswith(MARK)]
            for key in marked:
                transaction.delete(key, db=database)
        transaction.put(b"renewal", str(time.monotonic_ns()).encode(), db=environment.databases[b"meta"])

    environment.write(work)


def scrubbed(environment: LmdbEnvironment) -> Scrubbed:
    environment.write(lambda transaction: None)
    return environment.maintain(scrub)


rows = st.tuples(
    st.sampled_from([b"a", b"b"]),
    st.integers(0, 60).map(lambda n: b"key %d" % n),
    st.tuples(st.booleans(), st.sampled_from(SIZES), st.integers(0, 255)).map(
        lambda drawn: (MARK if drawn[0] else b"kept ") + bytes([drawn[2]]) * drawn[1]
    ),
)


@settings(max_examples=25, deadline=None)
@given(
    before=st.lists(st.lists(rows, min_size=1, max_size=8), min_size=1, max_size=25),
    after=st.lists(st.lists(rows.filter(lambda row: not row[2].startswith(MARK)), max_size=5), max_size=8),
)
def test_any_history_of_writes_can_be_forgotten(
    before: list[list[tuple[bytes, bytes, bytes]]], after: list[list[tuple[bytes, bytes, bytes]]]
) -> None:
    with TemporaryDirectory() as folder, opened(Path(folder)) as environment:
        for group in before:
            put(environment, group)
        forget(environment)
        kept = contents(environment)
        assert scrubbed(environment).pinned == 0
        file = Path(folder) / "data.mdb"
        assert MARK not in file.read_bytes()
        assert contents(environment) == kept
        for group in after:
            put(environment, group)
            kept |= {(name, key): value for name, key, value in group}
        assert MARK not in file.read_bytes()
        assert contents(environment) == kept
        scrubbed(environment)
        assert contents(environment) == kept


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), value_bytes=st.sampled_from([20, 200, 900]), shared=st.integers(0, 10))
def test_deleted_keys_are_gone_from_inner_pages_too(seed: int, value_bytes: int, shared: int) -> None:
    draw = random.Random(seed)
    keys = [bytes(shared) + draw.randbytes(16 - shared) for _ in range(500)]
    with TemporaryDirectory() as folder, opened(Path(folder)) as environment:
        for start in range(0, len(keys), 50):
            put(environment, [(b"a", key, b"kept " + bytes(value_bytes)) for key in keys[start : start + 50]])
        kept = contents(environment)
        draw.shuffle(keys)
        separators = 0
        for turn, key in enumerate(keys[:200]):
            environment.write(
                lambda transaction, key=key: transaction.delete(key, db=environment.databases[b"a"])
            )
            del kept[b"a", key]
            # What is still there stays, also where it separates.
            for other in (key, keys[-1 - turn]):
                separators += environment.maintain(
                    lambda opened, file, key=other: forget_separators(
                        opened, file, {b"a": (key,), b"none": (key,)}
                    )
                )
            if turn % 60 == 0:
                assert all(
                    environment.read(lambda opened, k=k: opened.get(k, db=environment.databases[b"a"]))
                    for _, k in kept
                )
        assert contents(environment) == kept
        assert separators > 0 or value_bytes < 200, "no inner page had any"
        put(environment, [(b"meta", b"renewal", b"now")])
        scrubbed(environment)
        found = (Path(folder) / "data.mdb").read_bytes()
        assert [key for key in keys[:200] if key in found] == []
        assert all(key in found for key in keys[200:])
        # The tree goes on to take keys in their places.
        put(environment, [(b"a", key, b"again") for key in keys[:200]])
        again = contents(environment)
        assert again == kept | {(b"a", key): b"again" for key in keys[:200]}


def _read_twice(transaction: lmdb.Transaction, database: Database) -> None:
    """One view stays as it is, whatever others write, free and overwrite meanwhile."""
    before = list(transaction.cursor(db=database))
    time.sleep(0.01)
    assert list(transaction.cursor(db=database)) == before


def _write_until_told(folder: Path, stop: object, seed: int) -> None:
    draw = random.Random(seed)
    written = 0
    with opened(folder) as environment:
        while not stop.is_set():  # type: ignore[attr-defined]
            put(
                environment,
                [(b"b", b"%d of writer %d" % (written, seed), b"kept " + draw.randbytes(draw.choice(SIZES)))],
            )
            written += 1
            if written % 4 == 0:
                environment.read(lambda opened: _read_twice(opened, environment.databases[b"b"]))
            # LMDB's lock is not fair: without a pause, others would hardly ever get it.
            time.sleep(0.002)
            if written > 30:
                environment.write(
                    lambda transaction, number=written - 30: transaction.delete(
                        b"%d of writer %d" % (number, seed), db=environment.databases[b"b"]
                    )
                )
        put(environment, [(b"a", b"writer %d" % seed, str(written).encode())])


@pytest.mark.slow
def test_other_processes_write_and_read_meanwhile_and_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    writers = [context.Process(target=_write_until_told, args=(tmp_path, stop, n)) for n in range(2)]
    for writer in writers:
        writer.start()
    try:
        with opened(tmp_path) as environment:
            for turn in range(6):
                put(environment, [(b"a", b"key %d" % n, MARK + bytes(200 * n)) for n in range(30)])
                put(environment, [(b"a", b"kept %d" % turn, b"kept " + bytes([turn]) * 3_000)])
                forget(environment)
                assert scrubbed(environment).pinned == 0
                assert MARK not in (tmp_path / "data.mdb").read_bytes()
            stop.set()
            for writer in writers:
                writer.join(30)
            assert [writer.exitcode for writer in writers] == [0, 0]
            found = contents(environment)
            for number in range(2):
                written = int(found[b"a", b"writer %d" % number])
                newest = [
                    (b"b", b"%d of writer %d" % (n, number)) for n in range(max(written - 29, 0), written)
                ]
                assert all(found[key].startswith(b"kept ") for key in newest)
            kept = {found[b"a", b"kept %d" % turn] for turn in range(6)}
            assert kept == {b"kept " + bytes([turn]) * 3_000 for turn in range(6)}
    finally:
        stop.set()
        for writer in writers:
            writer.join(30)


def test_pages_that_were_written_and_freed_meanwhile_are_left_to_their_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {b"short life %d" % n: b"kept " + bytes([n]) * 3_000 for n in range(20)}
    with opened(tmp_path) as environment:
        put(environment, [(b"a", b"key %d" % n, MARK + bytes(3_000)) for n in range(50)])
        forget(environment)
        # LMDB uses pages again that were freed before the oldest reader's commit.
        put(environment, [(b"b", b"later", b"kept ")])

        def work(opened: lmdb.Environment, file: Path) -> Scrubbed:
            database = environment.databases[b"a"]
            readers: list[lmdb.Transaction] = []

            def written_read_and_deleted(*_: object) -> int:
                with opened.begin(write=True) as transaction:
                    for key, value in values.items():
                        transaction.put(key, value, db=database)
                readers.append(opened.begin())
                with opened.begin(write=True) as transaction:
                    for key in values:
                        transaction.delete(key, db=database)
                return 0

            monkeypatch.setattr("foundation.storage.lmdb_scrub._zero_gaps", written_read_and_deleted)
            result = scrub(opened, file)
            (reader,) = readers
            assert {key: reader.get(key, db=database) for key in values} == values
            reader.abort()
            return result

        scrub_result = environment.maintain(work)
        assert scrub_result.freed > 20
        assert scrub_result.pinned == 0
        monkeypatch.undo()
        scrubbed(environment)
        assert MARK not in (tmp_path / "data.mdb").read_bytes()


def test_what_a_reader_may_still_see_is_left_and_told(tmp_path: Path) -> None:
    with opened(tmp_path) as environment:
        put(environment, [(b"a", b"key %d" % n, MARK + bytes(3_000)) for n in range(50)])
    reader = multiprocessing.get_context("fork").Process(target=_read_for_ever, args=(tmp_path,))
    reader.start()
    try:
        deadline = time.monotonic() + 20
        while not (tmp_path / "reading").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        with opened(tmp_path) as environment:
            forget(environment)
            environment.write(lambda transaction: None)
            result = environment.maintain(lambda opened, file: scrub(opened, file, pause=lambda _: None))
            assert result.pinned > 30
            reader.kill()
            reader.join(20)
            assert scrubbed(environment).pinned == 0
            assert MARK not in (tmp_path / "data.mdb").read_bytes()
    finally:
        reader.kill()
        reader.join(20)


def _read_for_ever(folder: Path) -> None:
    with opened(folder) as environment:

        def wait(transaction: lmdb.Transaction) -> None:
            (folder / "reading").touch()
            time.sleep(60)

        environment.read(wait)


def test_a_file_of_another_format_is_not_touched(tmp_path: Path) -> None:
    with opened(tmp_path) as environment:
        put(environment, [(b"a", b"key", MARK)])
        other = tmp_path / "other"
        other.write_bytes(b"\x07" * 65_536)
        with pytest.raises(PageFormatError, match="not that of LMDB"):
            environment.maintain(lambda opened, file: scrub(opened, other))
        assert other.read_bytes() == b"\x07" * 65_536
