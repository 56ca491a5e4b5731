"""The bench of the desk: its logs are real, its measure works, and a page's cost is told for each length."""

from __future__ import annotations

from tests.bench import desk
from tests.bench.filled import OPEN, Person, filled


async def test_a_filled_log_holds_what_a_channel_in_use_holds(tmp_path, need):
    """Every record valid, of many types, of both sides; the same few cases open at the end, whatever the length."""
    need("embedded-valkey")
    for length in (60, 150):
        async with filled(tmp_path / str(length), length) as machine, Person(machine, "cn") as cn:
            await cn.client.sync()
            records = cn.client.view.fold.display()
            assert [v for v in records if v.reason] == []
            assert length - 20 <= len(records) <= length + 20
            assert {"msg", "ack"} <= {v.record.t for v in records}
            assert {m.verdict.doc.fmt for m in cn.client.messages()} == {"F03", "F04", "F05", "F12"}
            opened, closed = (cn.client.index.openings(closed=c) for c in (False, True))
            assert (len(opened), len(closed) > 0) == (OPEN, True)


async def test_each_figure_is_taken_from_both_lengths(tmp_path, need):
    """Every page that there is answers on both channels, and a message that is sent on one desk stands on the other."""
    need("embedded-valkey")
    need("chromium")
    found = await desk.run(tmp_path, (50, 90), sends=3, looks=1)
    assert found["records"][0] < found["records"][1]
    assert {"page /, ms", "page /log, ms", "page /cases, ms", "send to visible, p95, ms"} <= found["figures"].keys()
    assert all(value > 0 for values in found["figures"].values() for value in values)
    assert all(len(values) == 2 for values in found["figures"].values())
    assert desk.ratios(found["figures"]).keys() == {name for name in found["figures"] if name.endswith("ms")}
