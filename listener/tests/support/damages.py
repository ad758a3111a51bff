"""Fifty and more ways in which a database file gets damaged, each a function of its path."""

import gzip
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

PAGE = 4096

Damage = Callable[[Path], None]


def _cut(length: int) -> Damage:
    """Cut to a length, or by it where it is negative."""

    def damage(path: Path) -> None:
        data = path.read_bytes()
        path.write_bytes(data[:length])

    return damage


def _write(at: int, data: bytes) -> Damage:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(at)
            file.write(data)

    return damage


def _zero_pages(first: int, last: int) -> Damage:
    return _write((first - 1) * PAGE, bytes((last - first + 1) * PAGE))


def _zero_every(step: int) -> Damage:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        for page in range(step, len(data) // PAGE, step):
            data[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)
        path.write_bytes(data)

    return damage


def _replace(data: bytes) -> Damage:
    return lambda path: _void(path.write_bytes(data))


def _void(_: object) -> None:
    return None


def _flip(seed: int, bits: int, first: int = 0, last: int | None = None) -> Damage:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        chance = random.Random(seed)
        for _ in range(bits):
            data[chance.randrange(first, min(len(data), last or len(data)))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)

    return damage


def _root_of(name: str, change: Callable[[bytearray, int], None]) -> Damage:
    def damage(path: Path) -> None:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
            root = connection.execute(query, (name,)).fetchone()[0]
        data = bytearray(path.read_bytes())
        change(data, (root - 1) * PAGE)
        path.write_bytes(data)

    return damage


def _zero(data: bytearray, at: int) -> None:
    data[at : at + PAGE] = bytes(PAGE)


def _other_kind(data: bytearray, at: int) -> None:
    data[at] = 0x0A


def _point_beyond(data: bytearray, at: int) -> None:
    data[at + 8 : at + 12] = b"\x7f\xff\xff\xff"


def _many_cells(data: bytearray, at: int) -> None:
    data[at + 3 : at + 5] = b"\xff\xff"


def _swap_pages(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for one in range(3, len(data) // PAGE - 4, 4):
        data[one * PAGE : (one + 1) * PAGE], data[(one + 2) * PAGE : (one + 3) * PAGE] = (
            data[(one + 2) * PAGE : (one + 3) * PAGE],
            data[one * PAGE : (one + 1) * PAGE],
        )
    path.write_bytes(data)


def _compress(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes()))


def _side(ending: str, damage: Damage) -> Damage:
    return lambda path: damage(Path(f"{path}{ending}"))


def _lose(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()


def _wal_of_another(path: Path) -> None:
    other = path.with_name("other.sqlite3")
    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE Other (a)")
        connection.execute("INSERT INTO Other VALUES (1)")
        Path(f"{path}-wal").write_bytes(Path(f"{other}-wal").read_bytes())
    other.unlink()


def _all() -> Iterator[tuple[str, Damage]]:
    for length in (1, 50, 99, 100, 512, 1000, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 20_000, 70_000, -1, -PAGE):
        yield f"cut to {length}", _cut(length)
    for first, last in ((1, 1), (2, 2), (3, 3), (4, 6), (8, 20), (1, 40), (1, 1000)):
        yield f"pages {first} to {last} zeroed", _zero_pages(first, last)
    yield "every second page zeroed", _zero_every(2)
    yield "every tenth page zeroed", _zero_every(10)
    yield "another magic", _write(0, b"XQLite")
    yield "a page size of 3", _write(16, b"\x00\x03")
    yield "another page size", _write(16, b"\x10\x01")
    yield "a format to come", _write(18, b"\x63\x63")
    yield "reserved bytes", _write(20, b"\xff")
    yield "another size in the header", _write(28, b"\x00\x00\x00\x02")
    yield "a freelist beyond the end", _write(32, b"\x00\x7f\xff\xff\x00\x00\x00\x09")
    yield "a freelist of what is in use", _write(32, b"\x00\x00\x00\x03\x00\x00\x00\x02")
    yield "another schema format", _write(44, b"\x00\x00\x00\x63")
    yield "another text encoding", _write(56, b"\x00\x00\x00\x09")
    yield "a user version without measure", _write(60, b"\x7f\xff\xff\xff")
    yield "a user version of the beginning", _write(60, b"\x00\x00\x00\x00")
    yield "random bytes", _replace(random.Random(1).randbytes(100_000))
    yield "a text", _replace(b"Readings of this year\n" * 500)
    yield "compressed", _compress
    yield "pages in another order", _swap_pages
    for name in ("ECCTempHum", "sqlite_autoindex_ECCTempHum_1", "ECCTempHum_sensor_idx", "ECCDelivery"):
        yield f"{name}: root zeroed", _root_of(name, _zero)
        yield f"{name}: root of another kind", _root_of(name, _other_kind)
        yield f"{name}: root points beyond", _root_of(name, _point_beyond)
        yield f"{name}: cells without end", _root_of(name, _many_cells)
    for seed in range(4):
        yield f"bits flipped in the schema, {seed}", _flip(seed, 3, 100, PAGE)
        yield f"bits flipped, {seed}", _flip(seed, 40)
    yield "the WAL lost", _side("-wal", _lose)
    yield "the WAL of random bytes", _side("-wal", _replace(random.Random(2).randbytes(50_000)))
    yield "the WAL cut", _side("-wal", _cut(5_000))
    yield "the WAL's bits flipped", _side("-wal", _flip(3, 30))
    yield "the WAL of another database", _wal_of_another
    yield "a journal of random bytes", _side("-journal", _replace(random.Random(4).randbytes(5_000)))


ALL = dict(_all())
