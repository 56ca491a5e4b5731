"""Scenarios of acknowledgements, the watch, no-answer steps, exercise control and the nodes' own records."""

from __future__ import annotations

from making_scene import scene
from making_signing import digest, pack
from making_world import START, World

E = ["expert1"]


@scene("Receipt steps by a person of the other side", "Ack", "REF", "FMT", "SIGNER")
def _receipts(w: World) -> None:
    sent = w.msg("a", E)
    w.facts.case(sent, "attention")
    other = w.msg("a", E, "F08")
    w.ack("a", "expert2", sent, expect="REF")  # one's own side
    w.ack("b", "expert1", sent, mid=other.doc["mid"], expect="REF")
    w.ack("b", "expert1", sent, ph=digest(b"none"), expect="REF")
    w.ack("b", "expert1", sent, seen=None, chan=digest(b"x"), expect="CHAN")
    for seat in ("operator", "records"):
        w.ack("b", seat, sent, expect="SIGNER")
    w.ack("b", "expert1", sent, by=["expert2"], expect="SIG")
    w.ack("b", "expert1", sent, by=["expert1", "expert2"], expect="SIG")
    w.ack("b", "expert1", sent, spoil="expert1", expect="SIG")
    w.ack("b", "expert1", sent, next=START, expect="FMT")
    w.ack("b", "expert1", sent, "not-engaging", why="later", expect="FMT")
    w.ack("b", "expert1", sent, "undecryptable", next=START, expect="FMT")
    w.ack("b", "expert1", sent, "seen", expect="PARSE")
    w.ack("b", "expert1", sent, drop=["ph"], expect="PARSE")
    w.ack("b", "expert1", sent, "undecryptable", why="wrap")
    w.ack("b", "duty", sent, "undecryptable")
    for seat, step in (("duty", "read"), ("expert1", "engaged"), ("official", "informed"), ("expert2", "no-comment")):
        w.ack("b", seat, sent, step)
    w.ack("b", "expert1", other, "not-engaging", next=START + 3_600_000)
    w.ack("b", "expert1", other, "not-engaging")


@scene("An acknowledgement of what its record has not seen, and of a refused message", "Ack", "REF")
def _unseen(w: World) -> None:
    sent = w.msg("a", E)
    w.facts.case(sent, "attention")
    w.ack("b", "expert1", sent, seen=sent.index, expect="REF")
    w.ack("b", "expert1", sent, seen=sent.index + 1)
    bad = w.msg("a", E, prec="R", expect="FMT")
    w.ack("b", "expert1", bad, expect="REF")


@scene("Taking, handing over and leaving a post", "Watch", "WATCH", "REF", "FMT")
def _watch(w: World) -> None:
    w.watch("a", "take", "duty", "expert1", expect="WATCH")  # another seat's
    w.watch("a", "take", "bridge", "duty", expect="REF")
    w.watch("a", "leave", "duty", "", "duty", expect="WATCH")  # nobody holds it
    w.watch("a", "take", "duty", "duty", "expert1", expect="WATCH")  # the second is official or operator
    w.watch("a", "take", "duty", "", "operator", expect="FMT")
    w.watch("a", "take", "duty", by=["duty"], expect="SIG")
    first = w.watch("a", "take", "duty", "duty")
    w.sign("a", "watch", first.doc, ["duty"], expect="DUP")
    w.watch("a", "take", "duty", "duty", expect="WATCH")  # held: a second person is needed
    w.watch("a", "take", "duty", "duty", "official")
    w.watch("a", "handover", "duty", "duty", expect="FMT")
    w.watch("a", "handover", "duty", "duty", "expert1", expect="WATCH")
    w.watch("a", "leave", "duty", "duty", "duty", by=["duty"], expect="SIG")
    w.watch("a", "leave", "duty", "", "expert1", expect="WATCH")
    w.watch("a", "take", "records", "records", expect="SIGNER")
    w.watch("a", "leave", "duty", "", "duty")
    w.watch("b", "take", "operator", "operator")
    w.watch("b", "take", "expert2", "expert2", "operator")


@scene("Steps of the no-answer procedure with each reason, and the other node's copies", "Step", "STEP")
def _steps(w: World) -> None:
    sent = w.msg("a", E)
    w.facts.case(sent, "attention")
    step = {"of": sent.ph, "receipt": "stored", "step": 1, "reason": "LINK"}
    w.node("b", "node.step", step, seen=sent.index, expect="STEP")
    w.node("a", "node.step", step | {"reason": "UNK"}, expect="STEP")
    w.node("a", "node.step", step | {"of": digest(b"none")}, expect="STEP")
    w.node("a", "node.step", step)
    w.node("a", "node.step", step, expect="STEP")  # once for each key
    w.node("b", "node.step", step | {"reason": "UNK"}, expect="STEP")
    w.node("b", "node.step", step)
    read = step | {"receipt": "read", "reason": "POST"}
    w.node("b", "node.step", read, expect="STEP")  # no copy of anything
    w.node("a", "node.step", read | {"reason": "LINK"}, expect="STEP")
    w.node("a", "node.step", read)
    w.watch("b", "take", "duty", "duty")
    w.node("a", "node.step", read | {"step": 2, "reason": "UNK"})
    w.ack("b", "expert1", sent)
    engaged = step | {"receipt": "engaged", "reason": "READ"}
    w.node("a", "node.step", engaged)
    w.ack("b", "expert2", sent, "engaged")
    w.node("a", "node.step", engaged | {"step": 2, "reason": "UNK"})
    w.ack("b", "official", sent, "not-engaging")
    w.node("a", "node.step", engaged | {"receipt": "reply", "step": 4, "reason": "NEN"})
    w.node("a", "node.step", engaged | {"step": 5}, expect="PARSE")
    w.node("a", "node.step", engaged | {"receipt": "seen"}, expect="PARSE")
    w.sync("b")


@scene("Exercise control: each operation at its time, in the host's log", "Exercise", "CLOCK", kind="exercise")
def _exercise(w: World) -> None:
    salt, scenario = digest(b"salt"), w.keep(b"scenario")
    hidden = digest(salt, b"scenario")
    w.exercise("a", "control", "pause", expect="CLOCK")
    w.exercise("a", "control", "reveal", mid=bytes(16), cek=bytes(32), expect="CLOCK")
    w.exercise("b", "control", "startex", rate=2, scenario=hidden, expect="CLOCK")  # not the host
    w.exercise("a", "evaluator", "startex", rate=2, scenario=hidden, expect="SIGNER")
    w.exercise("a", "control", "startex", rate=2, expect="FMT")
    w.exercise("a", "control", "startex", rate=0, scenario=hidden, expect="PARSE")
    w.exercise("a", "control", "startex", 500, rate=2, scenario=hidden)
    w.exercise("a", "control", "startex", rate=3, scenario=hidden, expect="CLOCK")
    w.exercise("a", "control", "resume", expect="CLOCK")
    w.exercise("a", "control", "pause", 1500)
    w.exercise("a", "control", "pause", 1600, expect="CLOCK")
    w.exercise("a", "control", "rate", 1500, rate=10)
    w.exercise("a", "control", "rate", 1500, expect="FMT")
    resumed = w.exercise("a", "control", "resume", 1500)
    w.sign("a", "exercise", resumed.doc, ["control"], expect="DUP")
    w.exercise("a", "control", "jump", 100_000)
    blob = digest(b"sealed")
    sealed = {"to": w.recipients(), "suite": 0x0101, "kc": digest(b"kc"), "blob": blob, "blen": 900}
    w.exercise("b", "control", "inject", id="inject-1", **sealed, blobs=[w.keep(b"sealed")])
    w.exercise("b", "control", "inject", id="inject-2", **sealed, expect="FMT")  # its blob is not named
    w.exercise("a", "evaluator", "note", id="note-1", **sealed, blobs=[blob])
    w.exercise("a", "evaluator", "inject", id="inject-3", **sealed, blobs=[blob], expect="SIGNER")
    w.exercise("b", "expert1", "real-world")
    w.exercise("a", "control", "open", salt=salt, scenario=scenario, blobs=[scenario], expect="CLOCK")
    w.exercise("a", "control", "endex", 200_000)
    w.exercise("b", "records", "reveal", mid=bytes(16), cek=bytes(32))
    w.exercise("a", "control", "shown", list=[])
    w.exercise("a", "control", "open", salt=salt, scenario=scenario, expect="FMT")
    w.exercise("a", "control", "open", salt=salt, scenario=scenario, blobs=[scenario])
    w.exercise("a", "control", "resume", expect="CLOCK")
    w.facts.case(w.msg("a", E), "attention")
    w.msg("a", E, sign_mode=1, expect="MODE")


@scene("After endex: valid only in a record that has seen it", "Exercise", "CLOCK", kind="exercise")
def _ended(w: World) -> None:
    w.exercise("a", "control", "startex", rate=1, scenario=digest(b"s"))
    end = w.exercise("a", "control", "endex", 1000)
    w.exercise("b", "control", "reveal", mid=bytes(16), cek=bytes(32), seen=end.index, expect="CLOCK")
    w.exercise("b", "control", "reveal", mid=bytes(16), cek=bytes(32))
    w.exercise("b", "control", "shown", list=[1])


@scene("Exercise control in an actual channel", "MODE")
def _actual(w: World) -> None:
    w.exercise("a", "expert1", "real-world", expect="MODE")
    w.exercise("a", "expert1", "play", expect="PARSE")


@scene("The nodes' own records", "Node", "PARSE", "FMT")
def _node(w: World) -> None:
    w.node("a", "node.boot", {"impl": "x 1", "wall": START, "why": "start"})
    w.node("a", "node.boot", {"impl": "x 1", "wall": START, "why": "reset"}, expect="PARSE")
    w.node("a", "node.boot", {"impl": "x 1", "wall": START}, expect="PARSE")
    state = digest(b"state")
    w.node("a", "node.ack", {"side": digest(b"salt"), "state": state, "at": [4, 4]})
    w.node("a", "node.ack", {"state": state}, expect="FMT")
    w.node("a", "node.ack", {"at": [4, 4]}, expect="FMT")
    w.node("a", "node.ack", {"state": state, "at": [4]}, expect="PARSE")
    w.node("a", "node.gap", {"lo": 0, "hi": 2, "hashes": [state, state]})
    w.node("a", "node.gap", {"lo": 2, "hi": 2, "hashes": []}, expect="FMT")
    w.node("a", "node.gap", {"lo": 0, "hi": 2, "hashes": [state]}, expect="FMT")
    at = w.size("a")
    w.node("a", "node.gap", {"lo": at - 1, "hi": at + 1, "hashes": [state, state]}, expect="FMT")
    w.node("a", "node.gap", {"lo": at, "hi": at + 1, "hashes": [state]})
    cert = w.keep(b"another certificate")
    w.node("a", "node.pin", {"cert": cert, "from": START}, blobs=[cert])
    w.node("a", "node.pin", {"cert": cert, "from": START}, expect="FMT")
    w.node("b", "node.test", {"id": bytes(16), "path": "main", "t1": START})
    w.node("b", "node.test", {"id": bytes(15), "path": "main", "t1": START}, expect="PARSE")
    w.node("a", "node.echo", {"id": bytes(16), "t1": 1, "t2": 2, "t3": 3})
    w.node("b", "node.echo", {"id": bytes(16), "t1": 1, "t2": 2, "t3": 3, "t4": 4})
    w.node("a", "node.alarm", {"code": "MODE", "count": 2, "ref": state})
    w.node("a", "node.alarm", {"code": "mode", "count": 2}, expect="PARSE")
    w.node("a", "node.alarm", {"code": "MODE", "count": 0}, expect="PARSE")
    w.node("a", "node.evidence", {"k": "E1", "note1": b"", "note2": b""})
    w.node("a", "node.evidence", {"k": "E8"}, expect="PARSE")
    w.node("a", "node.evidence", pack([1]), expect="PARSE")
    w.node("b", "node.evidence", {"k": "E7"})
    w.node("b", "node.boot", b"\x81\xa1v\x02", expect="PARSE")


@scene("One key, one message id, two payloads: evidence against whoever signed them", "E4")
def _two_payloads(w: World) -> None:
    first = w.msg("a", E)
    w.facts.case(first, "attention")
    second = w.msg("a", E, mid=first.doc["mid"], lang="zh", expect="DUP")
    w.msg("a", ["expert2"], mid=first.doc["mid"], expect="DUP")
    third = w.msg("a", E, mid=first.doc["mid"], to=[digest(b"x")], expect="KEM")
    w.msg("a", E, mid=first.doc["mid"], lang="zh", prec="O", spoil="expert1", expect="SIG")
    w.facts.two_payloads(first, second.ph, third.ph)
