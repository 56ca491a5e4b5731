"""What rings: messages of the other side that nobody on this side has received and read. From signed headers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from channel.client import watch

if TYPE_CHECKING:
    from channel.desk.open_desk import OpenDesk


@dataclass(frozen=True, slots=True)
class Ring:
    """One message that waits to be received and read. ``due``: ms UTC in the node's clock; None if it is not counted."""

    number: str
    level: str
    prec: str
    due: int | None
    since: int

    def item(self) -> dict[str, Any]:
        """As the page is told it."""
        return {"number": self.number, "level": self.level, "prec": self.prec, "due": self.due, "since": self.since}


def rings(desk: OpenDesk) -> list[Ring]:
    """Everything that rings, the soonest deadline first."""
    if desk.client.view.fold.charter is None:
        return []
    found = []
    for each in watch.owed(desk.client):
        read = next((r for r in each.receipts if r.name == "read"), None)
        if read is not None:
            doc, record = each.message.verdict.doc, each.message.verdict.record
            since = each.message.receipt_time or (0 if record is None else record.ts)
            prec = "Z" if getattr(doc, "single", None) is True else doc.prec
            found.append(Ring(each.message.verdict.number, each.level, prec, read.due, since))
    return sorted(found, key=lambda ring: ring.due or 0)
