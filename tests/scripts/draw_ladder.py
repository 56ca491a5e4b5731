"""The pictures of docs/ladder.md, each drawn from what ``ladder_probe`` and ``draft_probe`` found; never by hand.

``drawn(found)`` gives {file name: SVG}. Words come from the texts of the program wherever it has them. Where a rule does
not do what the policy's table says, nothing is drawn.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from channel.client.present import need
from channel.formats import format_book
from channel.i18n import Texts
from channel.protocol.charter import ORDER
from keys.codec import unpack
from keys.texts import LANGUAGES
from tests.scripts.ladder_probe import (
    HELD,
    ONE,
    POLICY,
    Receipt,
    Release,
    answering,
    below,
    closing,
    enough_for,
    fits,
    lowering,
    open_while_suspended,
    opening,
    raising,
    receipts,
    release,
    suspension,
)
from tests.scripts.picture import LINE, Picture, width

SAID = {lang: Texts(lang) for lang in LANGUAGES}
EN, ZH = SAID["en"], SAID["zh"]
LEVELS = tomllib.loads(bytes(unpack(format_book())["levels.toml"]).decode())
DRAFT_ACTS = {
    "signed": ("the last signer signs; that desk releases it", "最后一名会签人签署，随即签发"),
    "withdraw": ("its author withdraws it", "拟稿人撤下"),
    "reject": ("another signer sends it back", "其他会签人退回"),
    "time": ("{en} pass", "满{zh}"),
    "newer": ("a newer message in its case stands in a log", "本事件已有更新的电文入日志"),
    "revoke": ("a key that it names is revoked", "所列密钥被吊销"),
}
RECEIPTS = {
    "stored": ("stored", "系统接收"),
    "read": ("read", "收阅"),
    "engaged": ("engaged", "研判"),
    "informed": ("reported", "报主管负责人"),
    "reply": ("reply", "答复"),
}


@dataclass(frozen=True)
class Found:
    """All that was asked."""

    drafts: dict[str, tuple[str, str]]
    release: Release
    receipts: list[Receipt]


def ask(drafts):
    """Ask everything but what becomes of drafts, which takes two nodes."""
    return Found(drafts, release(), receipts())


def both(id_, **values):
    """A text in both languages."""
    return [texts.say(id_, **values) for texts in (EN, ZH)]


def signatures(slots):
    """Who signs, in both languages."""
    said = [need(texts, slots) for texts in (EN, ZH)]
    return [text[1:-1] if len(slots) == 1 and text.startswith("(") else text for text in said]


def wrapped(text, most, at=" + "):
    """The text in lines of at most so many pixels, broken before ``at``."""
    lines = [""]
    for i, part in enumerate(text.split(at)):
        piece = part if i == 0 else f"{at.strip()} {part}"
        if lines[-1] and width(f"{lines[-1]} {piece}") > most:
            lines.append(piece)
        else:
            lines[-1] = f"{lines[-1]} {piece}".strip()
    return lines


def checked(act, slots):
    """The slots, once the rule was asked and takes exactly those who fill them."""
    if not fits(act, slots):
        raise AssertionError(f"the rule takes {enough_for(act)}, the table says {slots}")
    return slots


# --- pictures -----------------------------------------------------------------------------------------------------------


def ladder():
    """The six levels, highest first."""
    picture = Picture(
        1210, 60 + 6 * 132, "The ladder / 级别一览",
        "Six levels, highest first, each with its shape, word, bars and precedence, who signs to open a case at it or raise "
        "to it, who signs to lower from it, and its deadlines from receipt. The table beside has the same.",
    )  # fmt: skip
    for n, level in enumerate(reversed(ORDER)):
        rule, word, y = POLICY.level(level), LEVELS[level], 62 + n * 132
        double = word.get("border") == "double"
        lines = [EN.level(level), ZH.say(f"level.{level}"), *precedence(rule)]
        picture.box(24, y, 300, lines, colour=word["colour"], double=double)
        up = signatures(checked(opening(level), rule.enter))
        first = "open 开启" if level == ORDER[0] else "open, raise 开启、上调"
        lines = [f"{first}: {up[0]}", up[1]]
        if level != ORDER[0]:
            down = signatures(checked(lowering(level), rule.lower))
            lines += [f"lower, each side 下调（各方）: {down[0]}", down[1]]
        picture.words([350, y + 14], lines)
        picture.words([350, y + 14 + LINE * len(lines)], ["  ·  ".join(deadlines(rule, lang)) for lang in LANGUAGES])
    return picture


def precedence(rule):
    """The word of a level's precedence with the minutes of that level, in both languages."""
    words = zip(both(f"code.prec.{rule.prec}"), (" (", "（"), (EN, ZH), strict=True)
    return [f"{word.partition(bracket)[0]} · {texts.duration(rule.read)}" for word, bracket, texts in words]


def deadlines(rule, lang):
    """The deadlines of a level that it has, in one language."""
    named = {"read": rule.read, "engaged": rule.engaged, "informed": rule.informed, "reply": rule.reply}
    i, said = LANGUAGES.index(lang), SAID[lang]
    found = [f"{RECEIPTS[name][i]} {said.duration(s)}" for name, s in named.items() if isinstance(s, int)]
    update = [f"{('then every', '此后每')[i]} {said.duration(rule.update)}"] if isinstance(rule.update, int) else []
    return [*found, *update]


def levels():
    """How the level of a case moves."""
    step, top, x, w = 124, 70, 540, 300
    picture = Picture(
        1390, top + 7 * step - 40, "The level of a case / 事件级别的变化",
        "On the right, opening and raising: one side alone, over as many levels as it wants. On the left, lowering by one "
        "step, which both sides sign. Below, closing by both sides, and a raise that opens a closed case again.",
    )  # fmt: skip
    boxes = {}
    for n, level in enumerate(reversed(ORDER)):
        word = LEVELS[level]
        lines = [EN.level(level), ZH.say(f"level.{level}")]
        boxes[level] = picture.box(
            x, top + n * step, w, lines, colour=word["colour"], double=word.get("border") == "double"
        )
    closed = picture.box(x, top + 6 * step, w, both("case.closed"), dashed=True)
    bus, foot = x + w + 56, closed.right[1]
    picture.arrow([closed.right, (bus, foot), (bus, boxes[ORDER[-1]].at_right(0.5)[1])], head=False)
    ends = [level for level in ORDER if enough_for(raising(None, level))]
    picture.words(
        [bus + 12, foot - 12],
        [
            f"re-opened by a raise to {EN.say(f'level.{ends[0]}')} or above,",
            "signed as there",
            f"由上调至{ZH.say(f'level.{ends[0]}')}及以上重新开启，签署要求同上",
        ],
    )
    for n, level in enumerate(ORDER):
        rule, box = POLICY.level(level), boxes[level]
        checked(opening(level), rule.enter)
        sources = [s for s in ORDER if enough_for(raising(s, level))]
        for source in sources:
            checked(raising(source, level), rule.enter)
        if sources != list(ORDER[:n]):
            raise AssertionError(f"to {level} leads a raise from {sources}")
        y = box.right[1]
        if sources:
            picture.arrow([(bus, y), box.right])
        else:
            picture.dot(bus + 20, y + 12)
            picture.arrow([(bus + 20, y + 12), (box.x + box.w, y + 12)])
        what = (
            ("open, or raise from any level below:", "开启，或自任一较低级别上调：") if sources else ("open:", "开启：")
        )
        en, zh = signatures(rule.enter)
        shift = 30 if not sources else 0
        picture.words([bus + 12 + shift, y - 22], [what[0], *wrapped(en, 440), f"{what[1]}{zh}"])
    _lowerings(picture, boxes, closed)
    return picture


def _lowerings(picture, boxes, closed):
    left = boxes[ORDER[0]].x - 44
    for level in ORDER[1:]:
        rule, box, under = POLICY.level(level), boxes[level], boxes[below(level)]
        for act in (lowering(level), answering(level)):
            checked(act, rule.lower)
        ways = [to for to in ORDER if enough_for(lowering(level, to))]
        if ways != [below(level)]:
            raise AssertionError(f"from {level} a lowering leads to {ways}")
        y0, y1 = box.at_left(0.7)[1], under.at_left(0.25)[1]
        picture.arrow([(box.x, y0), (left, y0), (left, y1), (under.x, y1)])
        en, zh = signatures(rule.lower)
        words = ["lower, and concur of the other side; each:", *wrapped(en, 420), f"下调，对方同意；各方：{zh}"]
        aside = 24 if enough_for(closing(level)) else 0  # a closing passes there
        picture.words([left - aside - 12, (y0 + y1) / 2 - 20], words, anchor="end")
    may = [level for level in ORDER if enough_for(closing(level))]
    for n, level in enumerate(may):
        checked(closing(level), ONE)
        checked(answering(level, "concur", "close"), ONE)
        far = left - 24 * n
        y0 = boxes[level].at_left(0.75 if n == 0 else 0.45)[1]
        picture.arrow(
            [
                (boxes[level].x, y0),
                (far, y0),
                (far, closed.at_left(0.3 + 0.4 * n)[1]),
                (closed.x, closed.at_left(0.3 + 0.4 * n)[1]),
            ]
        )
    en, zh = signatures(ONE)
    at = closed.left[1] - 34
    picture.words(
        [left - 24 * len(may) - 6, at],
        [
            f"close from {' or '.join(EN.say(f'level.{x}') for x in reversed(may))},",
            f"and concur of the other side; each: {en}",
            f"自{'或'.join(ZH.say(f'level.{x}') for x in reversed(may))}办结，对方同意；各方：{zh}",
        ],
        anchor="end",
    )


def suspended():
    """Suspension, by each party's own last word."""
    picture = Picture(
        1120, 470, "Exchanges suspended, core open / 业务暂停（核心功能保留）",
        "Each party suspends and resumes by its own official in its own log; exchanges are suspended while either has not resumed.",
    )  # fmt: skip
    names = {
        HELD[0]: ["in operation", "运行中"],
        HELD[1]: ["suspended by CN", "CN 已暂停"],
        HELD[2]: ["suspended by US", "US 已暂停"],
        HELD[3]: ["suspended by both", "双方均已暂停"],
    }
    places = {HELD[0]: (30, 190), HELD[1]: (440, 70), HELD[2]: (440, 310), HELD[3]: (850, 190)}
    boxes = {held: picture.box(*places[held], 220, names[held], dashed=held == HELD[0]) for held in HELD}
    official = signatures(POLICY.sign.official)
    for (held, p, op), to in suspension().items():
        a, b = boxes[held], boxes[to]
        right, rises = b.x > a.x, (a.y > b.y) == (b.x > a.x)
        upper = right == rises
        first, last = (_end(box, other, upper=upper) for box, other in ((a, b), (b, a)))
        picture.arrow([first, last])
        middle = (first[0] + last[0]) / 2, (first[1] + last[1]) / 2
        side, outside = ("CN", "US")[p], rises == upper
        at = [middle[0] + (-12 if outside else 12), middle[1] + (-6 if upper else 18)]
        words = [f"{side}: {EN.say(f'code.move.{op}')} {ZH.say(f'code.move.{op}')}"]
        picture.words(at, words, anchor="end" if outside else "start")
    formats, moves = open_while_suspended()
    picture.words([30, 412], [
        f"each word: {official[0]} of that party / 均由该方{official[1]}签署",
        f"Still valid: {', '.join(formats)}; {', '.join(EN.say(f'code.move.{m}') for m in moves)}; receipts and confirmations",
        f"仍然有效：{'、'.join(formats)}；{'、'.join(ZH.say(f'code.move.{m}') for m in moves)}；收悉与补签",
    ])  # fmt: skip
    return picture


def _end(box, other, *, upper):
    """Where one of two lines between two boxes ends at a box."""
    if box.y in (70, 310):
        share = 0.25 if upper else 0.75
    else:
        share = (0.08 if upper else 0.4) if other.y < box.y else (0.6 if upper else 0.92)
    return box.at_right(share) if other.x > box.x else box.at_left(share)


def draft(found):
    """What becomes of a draft."""
    rows = [(act, *found.drafts[act]) for act in DRAFT_ACTS]
    picture = Picture(
        1080, 70 + len(rows) * 78, "A draft that waits for signatures / 待会签草稿",
        "From waiting a draft ends in one of six ways and can't be signed any more; only the last signature releases the message.",
    )  # fmt: skip
    state, refusal = found.drafts["nothing"]
    assert (state, refusal) == ("waiting", "")
    middle = 62 + len(rows) * 39 - 30
    start = picture.box(30, middle, 190, both(f"draft.{state}"))
    ttl = POLICY.limits.draft_ttl
    for n, (act, after, ended) in enumerate(rows):
        assert ended == "DRAFT_ENDED"
        box = picture.box(690, 62 + n * 78, 370, both(f"draft.{after}"), dashed=act != "signed")
        y = box.left[1]
        picture.arrow([start.right, (270, start.right[1]), (270, y), box.left])
        en, zh = (text.format(en=EN.duration(ttl), zh=ZH.duration(ttl)) for text in DRAFT_ACTS[act])
        picture.words([284, y - 8], [en])
        picture.words([284, y + 16], [zh])
    return picture


def released(found):
    """The emergency release."""
    r = found.release
    late, minutes = max(r.states), [texts.duration(r.seconds) for texts in (EN, ZH)]
    picture = Picture(
        1220, 330, "Emergency release: F13 by one person / 应急单人签发（F13）",
        "A coded message that one person released waits for a second person of the same party; in time, or late, both sides see which.",
    )  # fmt: skip
    picture.dot(30, 110)
    waits = picture.box(390, 85, 290, both(f"code.confirm.{r.states[-1]}"))
    in_time = picture.box(940, 60, 250, both(f"code.confirm.{r.states[r.seconds]}"))
    after = picture.box(940, 170, 250, both(f"code.confirm.{r.states[late]}"), dashed=True)
    picture.arrow([(36, 110), waits.left])
    who = signatures((tuple(dict.fromkeys("official" if x == "principal" else x for x in r.roles)),))
    picture.words([44, 78], ["released by one:", "单人签发："])
    picture.words([44, 132], [*wrapped(who[0], 320, " or "), who[1]])
    picture.arrow([waits.at_right(0.35), (720, waits.at_right(0.35)[1]), (720, in_time.left[1]), in_time.left])
    picture.arrow([waits.at_right(0.7), (720, waits.at_right(0.7)[1]), (720, after.left[1]), after.left])
    picture.words([732, in_time.left[1] - 8], [f"within {minutes[0]}"])
    picture.words([732, in_time.left[1] + 18], [f"{minutes[1]}内"])
    picture.words([732, after.left[1] - 8], ["later"])
    picture.words([732, after.left[1] + 18], ["逾时"])
    second = signatures(
        (tuple(dict.fromkeys("official" if x == "principal" else x for x, why in r.confirms.items() if not why)),)
    )
    opens = [[texts.say(f"level.{x}") for x in r.opens_at] for texts in (EN, ZH)]
    picture.words([30, 250], [
        f"Second signature: another person of that party, {second[0]}; not the same person, not the other party.",
        f"第二人签署：该方另一人（{second[1]}）；不得为同一人，也不得为另一方人员。",
        f"It opens a case at {opens[0][-1]} at most and never raises; it has the deadlines of {EN.say(f'level.{r.pace}')}.",
        f"最高按“{opens[1][-1]}”开启事件，不能上调级别；适用“{ZH.say(f'level.{r.pace}')}”的时限。",
    ])  # fmt: skip
    assert not r.raises
    return picture


def received(found):
    """Receipts: the machine's, and those that people sign."""
    rows = {row.step: row for row in found.receipts}
    steps = [row for row in found.receipts if row.step not in ("", "stored")]
    picture = Picture(
        1370, 120 + len(steps) * 84, "Receipts / 收悉情况",
        "The machine's receipt says that a message is stored. Every other one is a person's signed act; each names which "
        "receipts the sender then no longer waits for, and what is said of the rest.",
    )  # fmt: skip
    middle = 62 + len(steps) * 42 - 36
    logged = picture.box(24, middle, 170, both("state.logged"), dashed=True)
    stored = picture.box(300, middle, 190, ["received by system", "系统已接收"])
    picture.arrow([logged.right, stored.left], ["machine", "系统"], [206, logged.right[1] - 26])
    picture.words([24, middle + 76], both(f"reason.{rows[''].reason}"))
    post = both(f"reason.{rows['stored'].reason}")
    picture.words([300, middle + 76], [*post[0].replace(", ", ",|").split("|"), post[1]])
    everyone = {row.roles for row in steps}
    assert len(everyone) == 1
    for n, row in enumerate(steps):
        word = row.step.replace("-", "_")
        box = picture.box(600, 62 + n * 84, 250, both(f"state.{word}"), dashed=row.step == "undecryptable")
        picture.arrow([stored.right, (545, stored.right[1]), (545, box.left[1]), box.left])
        more = [x for x in row.ends if x != "stored"]
        ends = " / ".join(" + ".join(RECEIPTS[x][i] for x in more) for i in (0, 1)) if more else "–"
        rest = both(f"reason.{row.reason}")
        picture.words([866, box.left[1] - 16], [f"meets 满足: {ends}", f"rest 其余: {rest[0]}", rest[1]])
    [roles] = everyone
    who = signatures((tuple(dict.fromkeys("official" if x == "principal" else x for x in roles)),))
    any_order = all(len(row.after) == len(steps) for row in steps)
    assert any_order
    picture.words(
        [24, picture.h - 36],
        [
            f"Each is signed by one {who[0]} of the receiving side, in any order; none implies agreement.",
            f"均由收电一方的一名{who[1]}签署，先后不限；均不代表同意其内容。",
        ],
    )
    return picture


def drawn(found):
    """{file name: SVG}."""
    made = {
        "ladder": ladder(),
        "level": levels(),
        "suspension": suspended(),
        "draft": draft(found),
        "release": released(found),
        "receipts": received(found),
    }
    return {f"{name}.svg": picture.svg() for name, picture in made.items()}
