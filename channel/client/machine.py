"""What the records of a node say, in words: alarms, steps of the no-answer procedure, line tests."""

from __future__ import annotations

from channel.client.client import Client
from channel.i18n import Texts
from channel.protocol.record import Alarm, Echo, Step, Test
from channel.protocol.verdicts import Verdict
from keys.plain import short


def detail(client: Client, verdict: Verdict, texts: Texts) -> str:
    """One line about a record of a node; "" for one that says nothing beyond its kind."""
    match verdict.doc:
        case Alarm(code=code, count=count):
            said = texts.say(f"alarm.{code}") if f"alarm.{code}" in texts else code
            return texts.say("alarm.counted", said=said, count=count)
        case Step(of=of, receipt=receipt, step=step, reason=reason):
            message = client.view.fold.find(of)
            number = short(of) if message is None else message.verdict.number
            return texts.say(
                "step.line", number=number, step=step, receipt=texts.say(f"step.{receipt}"),
                what=texts.say(f"step.act_{step}"), reason=texts.say(f"reason.{reason}"),
            )  # fmt: skip
        case Test(path=path):
            return texts.say("step.path", path=path)
        case Echo(t1=t1, t2=t2, t3=t3, t4=int(t4)):
            return texts.say("step.trip", trip=t4 - t1 - (t3 - t2), offset=(t2 - t1 + t3 - t4) // 2)
    return ""
