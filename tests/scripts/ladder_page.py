"""``make ladder``: docs/ladder.md and its pictures, written anew from the policy's tables and the rules of the code.

A test writes them once more and compares byte for byte, so a table that changes and a page that does not are found.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from channel.protocol.charter import ORDER
from channel.protocol.ladder import HEAVY, OPENING
from tests.scripts.draft_probe import ends
from tests.scripts.draw_ladder import (
    DRAFT_ACTS,
    EN,
    LEVELS,
    RECEIPTS,
    ZH,
    ask,
    both,
    checked,
    deadlines,
    drawn,
    precedence,
    signatures,
)
from tests.scripts.ladder_probe import (
    ACTS,
    HELD,
    ONE,
    POLICY,
    ROLES,
    answering,
    below,
    channel_move,
    closing,
    enough_for,
    inside,
    lowering,
    open_while_suspended,
    opening,
    raising,
    share,
    suspension,
    who_may,
)

TOP = Path(__file__).resolve().parents[2]
PAGE, PICTURES = TOP / "docs/ladder.md", TOP / "docs/diagrams"
OPENS = " or ".join(sorted(OPENING))
HEAD = """# The ladder

Written by `make ladder` from the default policy, the format book and the rules themselves: each line below was asked of
the code and not typed. Change the tables, and run it again. What the words mean: [glossary.md](glossary.md). The rules in
full: [protocol.md](protocol.md), section 12.5. Chinese words await native officials (see the README).

Level belongs to a case; the channel's level is the highest of its open cases. One side may raise, over as many levels as
it wants, and that holds on receipt; lowering goes by one step and both sides sign it; a raise that crosses a lowering
stands. A missed deadline raises the effort to make contact, never the level.
"""
ACT_WORDS = {
    "open": ("open a case", "开启事件"),
    "raise": ("raise to", "上调至"),
    "lower": ("lower from", "自该级下调"),
    "concur": ("concur", "同意下调"),
    "inside": ("sign inside (F04)", "事件内签署（F04）"),
    "second": ("be second", "作为第二人"),
}
SHARES = {None: "·", 0: "–", 1: "alone 单独", 2: "of two 两人之一", 3: "of three 三人之一"}


def role(name):
    """A role in both languages; the seat principal is an official's."""
    if name == "principal":
        return " ".join(f"{word} (principal)" for word in both("code.role.official"))
    return " ".join(both(f"code.role.{name}"))


def table(head, rows):
    """A table; every cell plain text."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return [*lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def picture(name, title):
    """A picture and what it is called."""
    return [f"![{title}](diagrams/{name}.svg)", ""]


def level_word(code):
    """A level by word, shape and bars, in both languages."""
    return f"{EN.level(code)} {ZH.say(f'level.{code}')}"


def ladder():
    """The six levels."""
    head = ("level 级别", "code", "precedence 紧急程度", "to open or raise to 开启或上调", "to lower from, each side 下调（各方）", "deadlines from receipt 时限")  # fmt: skip
    rows = []
    for code in ORDER:
        rule = POLICY.level(code)
        down = "·" if code == ORDER[0] else "<br>".join(signatures(checked(lowering(code), rule.lower)))
        up = "<br>".join(signatures(checked(opening(code), rule.enter)))
        times = "<br>".join(", ".join(deadlines(rule, lang)) for lang in ("en", "zh"))
        rows.append(
            (
                level_word(code),
                f"`{code}`, {LEVELS[code]['colour']}",
                "<br>".join((rule.prec, *precedence(rule))),
                up,
                down,
                times,
            )
        )
    return ["## The six levels 六个级别", "", *picture("ladder", "The six levels"), *table(head, rows)]


def moves():
    """Every move of a case's level that the rules take."""
    rows = []
    for to in ORDER:
        sources = [source for source in (None, *ORDER) if enough_for(raising(source, to))]
        if sources:
            named = ", ".join(f"`{source}`" if source else "closed" for source in sources)
            rows.append(
                (
                    "raise 上调",
                    named,
                    f"`{to}`",
                    "<br>".join(signatures(checked(raising(sources[-1], to), POLICY.level(to).enter))),
                )
            )
    for source in ORDER[1:]:
        slots = checked(answering(source), POLICY.level(source).lower)
        said = "<br>".join(signatures(checked(lowering(source), slots)))
        rows.append(("lower, concur 下调、同意", f"`{source}`", f"`{below(source)}`", f"each side 各方: {said}"))
    for source in ORDER:
        if enough_for(closing(source)):
            said = "<br>".join(signatures(checked(answering(source, "concur", "close"), checked(closing(source), ONE))))
            rows.append(("close, concur 办结、同意", f"`{source}`", "closed 已办结", f"each side 各方: {said}"))
    opened = [
        (f"open by {OPENS} 开启", "", f"`{code}`", "<br>".join(signatures(POLICY.level(code).enter))) for code in ORDER
    ]
    return [
        "## The level of a case 事件级别的变化", "", *picture("level", "How the level of a case moves"),
        *table(("move 调整", "from 自", "to 至", "signatures, each by another person 签署（须为不同人员）"), [*opened, *rows]),
    ]  # fmt: skip


def alike():
    """Acts that ask for the same signatures at every level, each as a function of the level."""
    return {
        "F01 line test 线路测试": lambda level: inside(level, "F01"),
        "F02 receipt and read-back 收悉与复述核对": lambda level: inside(level, "F02"),
        "F14 correction 更正": lambda level: inside(level, "F14"),
        **{f"F07 with {code} 答复 {code}": partial(inside, fmt="F07", ans=code) for code in POLICY.holding},
        "F07 with any other answer 其他答复": lambda level: inside(level, "F07", ans="YES"),
        "F13 by two, inside a case 约定代码电文（两人）": lambda level: inside(level, "F13"),
        "F13 by one (emergency release) 应急单人签发": lambda level: inside(level, "F13", single=True),
        "object 提出异议": lambda level: None if level == ORDER[0] else answering(level, "object"),
        "suspend 暂停": lambda _: channel_move("suspend"),
        "resume 恢复": lambda _: channel_move("resume"),
    }


def at_every_level(act):
    """What each role's signature is, once it was asked at every level and is the same."""
    found = {tuple(share(asked, r) for r in ROLES) for level in ORDER if (asked := act(level)) is not None}
    if len(found) != 1:
        raise AssertionError(f"not alike at every level: {found}")
    return found.pop()


def may():
    """Who may do what."""
    rows = []
    for code, roles in who_may().items():
        rows += [(level_word(code), role(name), *(SHARES[x] for x in roles[name])) for name in ROLES]
    beside = [(name, *map(SHARES.get, at_every_level(act))) for name, act in alike().items()]
    return [
        "## Who may 谁可签署", "",
        "alone: this signature is enough. of two, of three: one of so many that are needed together, by different persons. –: it",
        'counts for nothing. ·: there is no such act, or nobody is asked for. "Be second": beside an expert. Inside a case',
        f"{', '.join(sorted(HEAVY))} ask for the same. A person's own second seat, or the own key twice, is never a second",
        "signature: the record is not accepted.", "",
        "单独：一人签署即可。两人之一、三人之一：须由不同人员共同签署。–：不计入。·：无此事项或无须第二人。同一人的另一席位或同一密钥不得作为第二人签署。", "",
        *table(("level 级别", "role 职责", *(" ".join(ACT_WORDS[act]) for act in ACTS)), rows),
        "The same at every level 各级相同:", "",
        *table(("act 事项", *map(role, ROLES)), beside),
    ]  # fmt: skip


def suspended():
    """Suspension."""
    names = dict(
        zip(
            HELD,
            (
                "in operation 运行中",
                "suspended by CN 已暂停",
                "suspended by US 已暂停",
                "suspended by both 双方均已暂停",
            ),
            strict=True,
        )
    )
    rows = [
        (
            names[held],
            f"{('CN', 'US')[p]}: {' '.join(both(f'code.move.{op}'))}",
            names[to],
            "<br>".join(signatures(POLICY.sign.official)),
        )
        for (held, p, op), to in suspension().items()
    ]
    formats, kept = open_while_suspended()
    return [
        "## Exchanges suspended, core open 业务暂停（核心功能保留）", "",
        *picture("suspension", "Suspension by each party's own official"),
        *table(("from 自", "word 签署事项", "to 至", "signature, of that party 签署（该方）"), rows),
        f"Still valid 仍然有效: {', '.join(formats)}; {', '.join(' '.join(both(f'code.move.{m}')) for m in kept)}; receipts and confirmations 收悉与补签.", "",
    ]  # fmt: skip


def drafts(found):
    """Drafts."""
    rows = [(" ".join(both(f"draft.{found.drafts['nothing'][0]}")), "–", "yes 可")]
    for act, words in DRAFT_ACTS.items():
        state, refusal = found.drafts[act]
        said = (
            text.format(en=EN.duration(POLICY.limits.draft_ttl), zh=ZH.duration(POLICY.limits.draft_ttl))
            for text in words
        )
        rows.append(
            (" ".join(both(f"draft.{state}")), " ".join(said), f"no 不可 (`{refusal}`)" if refusal else "yes 可")
        )
    return [
        "## Drafts 待会签草稿", "", *picture("draft", "What becomes of a draft"),
        *table(("state 状态", "after 经过", "may still be signed 是否可签署"), rows),
    ]  # fmt: skip


def released(found):
    """The emergency release."""
    r = found.release
    within = f"within {EN.duration(r.seconds)} 在{ZH.duration(r.seconds)}内"
    when = {-1: "none yet 尚无", r.seconds: within, max(r.states): "later 逾时"}
    rows = [(" ".join(both(f"code.confirm.{state}")), when[seconds]) for seconds, state in r.states.items()]
    seconds = [(role(name), "yes 可" if not why else f"no 不可 (`{why}`)") for name, why in r.confirms.items()]
    seconds += [
        ("the same person 同一人", f"no 不可 (`{r.same_person}`)"),
        ("the other party 另一方", f"no 不可 (`{r.other_party}`)"),
    ]
    opens = ", ".join(f"`{code}`" for code in r.opens_at)
    return [
        "## Emergency release 应急单人签发", "", *picture("release", "A coded message that one person released"),
        f"One person releases: {', '.join(map(role, r.roles))}. It opens a case at {opens} and never raises; it has the deadlines of `{r.pace}`.", "",
        *table(("state 状态", "second signature, after the message 第二人签署距电文"), rows),
        *table(("who signs second 第二人", "accepted 是否有效"), seconds),
    ]  # fmt: skip


def received(found):
    """Receipts."""
    rows = []
    for row in found.receipts:
        word = {"": both("state.logged"), "stored": ["received by system", "系统已接收"]}.get(row.step) or both(
            f"state.{row.step.replace('-', '_')}"
        )
        meets = ", ".join(" ".join(RECEIPTS[x]) for x in row.ends) or "–"
        who = ", ".join(map(role, row.roles)) or "machine 系统"
        rows.append((" ".join(word), who, meets, " ".join(both(f"reason.{row.reason}"))))
    return [
        "## Receipts 收悉情况", "", *picture("receipts", "Receipts by the machine and by people"),
        "Of a message that waits for all five receipts. Each step is signed by one person of the receiving side, after any other",
        "step too; none implies agreement.", "",
        *table(("step 步骤", "by 签署", "receipts that it meets 满足的收悉要求", "what is said of the rest 其余情况"), rows),
    ]  # fmt: skip


def files(found):
    """{path: text} of the page and its pictures."""
    parts = [ladder(), moves(), may(), suspended(), drafts(found), released(found), received(found)]
    page = "\n".join([HEAD, *(line for part in parts for line in part)]).rstrip("\n") + "\n"
    return {PAGE: page, **{PICTURES / name: svg for name, svg in drawn(found).items()}}


def main():
    PICTURES.mkdir(exist_ok=True)
    for path, text in files(ask(asyncio.run(ends()))).items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
