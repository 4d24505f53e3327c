"""What is left of an erased person is found in bytes too, whatever else these hold."""

from shared.runtime.privacy import left
from tests.stack.database import Cluster


async def test_a_name_is_found_in_bytes_beside_a_nul_and_nothing_else_is(postgres: Cluster) -> None:
    async with postgres.connection(role="cumulo_owner") as owner:
        await owner.execute("CREATE TABLE events.left_behind (hash bytea)")
        try:
            kept = [b"\x00\xff\xfe\x27", b"\x00 para Ximena Olvidada \xc3\x91and\xc3\xba\x00", None]
            await owner.executemany("INSERT INTO events.left_behind VALUES ($1)", [(one,) for one in kept])
            found = await left(owner, ["events"], ["Ximena Olvidada Ñandú", "Queda Aquí"])
        finally:
            await owner.execute("DROP TABLE events.left_behind")
    [one] = [hit for hit in found if hit.table == "left_behind"]
    assert (one.column, one.rows) == ("hash", 1)
