"""Invented customers and staff: names in many scripts, reachable nowhere.

E-mail addresses use the domains of RFC 2606. Phone numbers come from the ranges that the
German, American, British and French regulators set aside for fiction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from unicodedata import normalize

import msgspec

#: Given names and family names; a person gets both from one row.
_SCRIPTS: tuple[tuple[str, str], ...] = (
    ("Anna Jonas Mia Paul Clara Emil Frieda Oskar", "Becker Vogel Keller Brandt Lorenz Winter"),
    ("Jürgen Zoë Søren Łucja Željko Désirée Iñaki Åsa", "Müller Núñez Østergård Šimić Çelik Größe"),
    ("Emma Noah Ava Lucas Grace Henry Ruby Owen", "O'Neill Carter Hayes McAllister Reed Porter"),
    ("Анна Иван Олена Борис Мария Пётр", "Иванова Петренко Соколов Георгиев Кравец"),
    ("Ελένη Νίκος Σοφία Γιώργος Μαρία", "Παππάς Οικονόμου Νικολάου Δήμου"),
    ("ليلى عمر سارة يوسف مريم", "حداد منصور خليل النجار"),
    ("נועה דוד תמר אורי מיכל", "כהן לוי מזרחי פרץ"),
    ("伟 芳 敏 静 磊", "王 李 张 刘 陈"),
    ("さくら 健太 美咲 翔 結衣", "佐藤 鈴木 高橋 田中"),
    ("민준 서연 지우 하은", "김 이 박 최"),
    ("आरव दिया ईशान प्रिया", "शर्मा वर्मा पटेल राव"),
    ("Nguyễn-Anh Thảo Đức Hương", "Trần Phạm Đặng Lê"),
    ("สมชาย มาลี กานดา", "ใจดี ศรีสุข ทองคำ"),
)
#: How often a customer's name comes from each row above.
_WEIGHTS = (30, 14, 22, 7, 4, 5, 5, 5, 4, 3, 4, 3, 2)

_DOMAINS = ("example.com", "example.org", "example.net")

#: The same kinds of number as people type them; `#` is a digit within a range of fiction.
_PHONES = (
    "+49 30 23125 ###",
    "030 23125###",
    "030/23125-###",
    "0171 39200##",
    "+4915228817#86",
    "(212) 555-01##",
    "212-555-01##",
    "+1 646 555 01##",
    "+1-917-555-01##",
    "+44 7700 900###",
    "+33 6 39 98 ## ##",
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody's name and addresses."""

    name: str
    email: str
    phone: str | None


def make_person(rng: Random, number: int) -> Person:
    """One invented person; `number` keeps the e-mail address apart from all others."""
    (script,) = rng.choices(_SCRIPTS, _WEIGHTS)
    given, family = (rng.choice(column.split()) for column in script)
    email = f"{_mailbox(given, family)}{number}@{rng.choice(_DOMAINS)}"
    phone = None if rng.random() < 0.12 else _phone(rng)  # noqa: PLR2004 - a share
    return Person(f"{given} {family}", email, phone)


def _mailbox(given: str, family: str) -> str:
    """The name without accents where it is Latin, else a word for everybody."""
    parts = ("".join(filter(str.isalpha, _ascii(name))) for name in (given, family))
    return ".".join(filter(None, parts)) or "guest"


def _ascii(name: str) -> str:
    return normalize("NFKD", name).encode("ascii", "ignore").decode().lower()


def _phone(rng: Random) -> str:
    pattern = rng.choice(_PHONES)
    return "".join(str(rng.randrange(10)) if sign == "#" else sign for sign in pattern)


def contact_fragments(rng: Random, count: int) -> Sequence[bytes]:
    """The contact members of `count` customers, ready to be put into an appointment's JSON."""
    return [_fragment(make_person(rng, number)) for number in range(1, count + 1)]


def _fragment(person: Person) -> bytes:
    members = {
        "contact_name": person.name,
        "contact_email": person.email,
        "contact_phone": person.phone,
    }
    return msgspec.json.encode(members)[1:-1]


#: What people write into a booking, with everything that breaks naive CSV and SQL.
NOTES = (
    "First visit, please call ahead.",
    'Said: "no perfume, please", twice.',
    "Allergic to nuts;\nbrings own towel.",
    "Kommt mit Begleitung — bitte 10 Minuten früher öffnen.",
    "🌿 quiet room 🙏",
    "=SUM(A1:A9) was typed here by mistake",
    "-10% agreed on the phone",
    "@reception: parking space needed",
    "Prefers window seat, gift card 'SPRING'\tpaid",
    "يفضل الموعد في المساء",
    "窓側の席を希望",
    "Line one\r\nLine two\r\n",
    "C:\\temp\\x -- '; DROP TABLE appointments; --",
    "👩‍👩‍👧 family booking, naïve café, e\u0301clair",
)
