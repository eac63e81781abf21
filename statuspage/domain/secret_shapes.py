"""What people must never hand in and sometimes do: recovery phrases, private keys, card and identity numbers, codes.

Found by shape and by checksum in any text, before it is stored or logged. It errs on the side of refusing: who is refused words
it again, who was not has given a wallet away. Word lists of recovery phrases: BIP-39, in all of its languages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache

from mnemonic import Mnemonic

PHRASE, KEY, CARD, IDENTITY, CODE = "phrase", "key", "card", "identity", "code"
HIDDEN = "•••"

_WORDS = 12  # the shortest phrase
_MISSPELT = 1  # of those: with one word wrong a phrase is still found by trying
_LENGTHS = (12, 15, 18, 21, 24)
_ABBREVIATED = 4  # a BIP-39 word is told from all others by its first four letters, and many write down no more
_BY_CHARACTER = ("chinese_simplified", "chinese_traditional")
_BY_WORD = ("english", "spanish", "french", "italian", "portuguese", "czech", "turkish", "russian", "japanese", "korean")

_HEX = re.compile(r"[0-9a-fA-F]{64}")  # 32 bytes: a private key, and a transaction's hash looks the same
_TOKEN = re.compile(r"[A-Za-z0-9+/_=-]{43,}")  # 32 bytes in base64, WIF, extended keys, keys of Solana, JWT
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY")
_DIGITS = re.compile(r"[0-9]+[Xx]?(?:[ \-._/,·]{1,2}[0-9]+[Xx]?)*")
_CARD_LENGTHS = range(13, 20)
# First digits of the schemes: 3 Amex, Diners, JCB; 4 Visa; 5, 22 to 27 Mastercard, Maestro; 6, 81 UnionPay; 2200, 9792 others.
_ISSUER = re.compile(r"[3-6]|81|220[0-4]|22[2-9]|2[3-6]|27[01]|2720|9792")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
_ID_CHECKS = "10X98765432"
_ID_PLAIN = re.compile(r"[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9X]")
_CODE = re.compile(
    r"(?:(?:verification|security|sms|login|2fa|confirmation) codes?|one[- ]time (?:codes?|passwords?|pins?)|\botp\b|passcode"
    r"|\bpin(?: code)?\b|\bcv[vc]2?\b|验证码|校验码|动态码|动态口令|动态密码|支付密码|交易密码|登录密码|密码|口令)"
    r"\W{0,3}(?:is|was|是|为)?\W{0,3}[0-9]{3,8}(?![0-9])"
)
_PASSWORD = re.compile(r"(?:password|passphrase|passwd|密码|口令)\s?(?:is|was|是|为|[:=])\s?(?=[!-~]*[0-9])[!-~]{4,}")
_SPOKEN_OF = re.compile(r"助记词|恢复词|恢复短语|种子短语|註記詞|助記詞|phrase|seed|mnemonic", re.IGNORECASE)
_HAN = re.compile(r"[\u4e00-\u9fff]+")

_SHAPED, _WIDE = {"Nd", "No", "Lu", "Ll"}, "＠．＋－"  # noqa: RUF001 - the full-width forms are meant
_MAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_LINK = re.compile(r"\b(?:https?://|www\.)[^\s<>\"']+", re.IGNORECASE)
_ADDRESS = re.compile(
    r"\b0x[0-9a-fA-F]{40}\b|\b(?:bc|tb|ltc|addr|cosmos|osmo)1[0-9a-z]{20,}\b"
    r"|\b(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[1-9A-HJ-NP-Za-km-z]{26,42}\b"
)
_HANDLE = re.compile(r"(?<![\w@])@\w{3,}")
_NUMBER = re.compile(r"\+?[0-9]+(?:[ \-./()]{1,2}[0-9]+)*")
_LONG_NUMBER = 7  # digits: telephone numbers, accounts, orders
_DATE = re.compile(r"20[0-9]{2}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?: [0-9]{1,2})?")


def secrets_in(text: str) -> tuple[str, ...]:
    """Which kinds of secret (PHRASE, KEY, CARD, IDENTITY, CODE) have their shape in `text`, in this order; () for none."""
    plain = _plain(text)
    numbers = [number for run in _DIGITS.findall(_ADDRESS.sub(HIDDEN, plain)) for number in _joined(run)]
    found = {
        PHRASE: _has_phrase(plain),
        KEY: _has_key(plain),
        CARD: any(_is_card(number) for number in numbers),
        IDENTITY: any(_is_resident_id(number) for number in numbers),
        CODE: bool(_CODE.search(plain.lower()) or _PASSWORD.search(plain.lower())),
    }
    return tuple(kind for kind, is_there in found.items() if is_there)


def masked(text: str) -> str:
    """`text` without what tells who wrote it: mail and wallet addresses, telephone and other long numbers, links, handles."""
    text = _shown(text)
    for pattern in (_LINK, _MAIL, _ADDRESS, _HANDLE):
        text = pattern.sub(HIDDEN, text)
    return _NUMBER.sub(_hide_number, text)


def _hide_number(found: re.Match[str]) -> str:
    is_long = sum(character.isdigit() for character in found[0]) >= _LONG_NUMBER
    return HIDDEN if is_long and not _DATE.fullmatch(found[0]) else found[0]


def _shown(text: str) -> str:
    """`text` as a reader sees it: full-width digits and letters as plain ones, nothing hidden between, one space for any gap."""
    visible = (_character(one) for one in text if unicodedata.category(one) not in {"Cf", "Cs", "Co", "Cn"})
    return " ".join("".join(visible).split())


def _character(one: str) -> str:
    kind = unicodedata.category(one)
    return " " if kind == "Cc" else unicodedata.normalize("NFKC", one) if kind in _SHAPED or one in _WIDE else one


def _plain(text: str) -> str:
    """`text` as its shapes are looked for: one form of each character, every script's digits as 0 to 9 (NFKC knows only some)."""
    found = unicodedata.normalize("NFKC", _shown(text))
    return "".join(str(unicodedata.digit(one, one)) for one in found)


# Recovery phrases


@cache
def _lists() -> tuple[frozenset[str], ...]:
    """The words of each language as `_folded` writes them, with their abbreviations. Read once, when first needed: 2 MB."""
    found = []
    for language in _BY_WORD:
        words = frozenset(_folded(word) for word in Mnemonic(language).wordlist)
        short = (word[:_ABBREVIATED] for word in words) if language not in {"japanese", "korean"} else ()
        found.append(words.union(short))
    return (*found, *(frozenset(one.wordlist) for one in _characters()))


@cache
def _characters() -> tuple[Mnemonic, ...]:
    return tuple(Mnemonic(language) for language in _BY_CHARACTER)


@cache
def _character_sets() -> tuple[frozenset[str], ...]:
    return tuple(frozenset(one.wordlist) for one in _characters())


def _folded(text: str) -> str:
    """Lower case, without accents."""
    apart = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in apart if not unicodedata.combining(character))


def _has_phrase(text: str) -> bool:
    words = re.findall(r"[^\W\d_]+", _folded(text))
    return any(_has_run(words, known) for known in _lists()) or _has_run_of_characters(text)


def _has_run(words: Sequence[str], known: frozenset[str]) -> bool:
    """Whether twelve words in a row are of the list, one misspelt at most. Numbers and punctuation between them do not count."""
    if len(words) < _WORDS:
        return False
    hits = [word in known for word in words]
    inside = sum(hits[:_WORDS])
    for last in range(_WORDS, len(hits)):
        if inside >= _WORDS - _MISSPELT:
            return True
        inside += hits[last] - hits[last - _WORDS]
    return inside >= _WORDS - _MISSPELT


def _has_run_of_characters(text: str) -> bool:
    """Chinese phrases without gaps. Their characters are the 2,048 most common ones: only the checksum tells them from prose."""
    is_spoken_of = _SPOKEN_OF.search(text)
    for run in _HAN.findall(text.replace(" ", "")):
        parts = {run} if len(run) in _LENGTHS else set()
        if is_spoken_of:
            parts |= {part for length in _LENGTHS if length <= len(run) for part in (run[:length], run[-length:])}
        if any(_is_phrase_of_characters(part) for part in parts):
            return True
    return False


def _is_phrase_of_characters(run: str) -> bool:
    return any(
        known.issuperset(run) and words.check(" ".join(run))
        for words, known in zip(_characters(), _character_sets(), strict=True)
    )


# Keys and numbers


def _has_key(text: str) -> bool:
    if _PEM.search(text) or _HEX.search(re.sub(r"[\s:-]", "", text)):
        return True
    return any(any(one.isdigit() for one in token) or not (token.islower() or token.isupper()) for token in _TOKEN.findall(text))


def _joined(run: str) -> Iterator[str]:
    """The numbers that groups of digits can be read as: `4111 1111 1111 1111 12/27` holds one of 16 digits."""
    groups = re.findall(r"[0-9]+[Xx]?", run)
    for first in range(len(groups)):
        number = ""
        for group in groups[first:]:
            number += group.upper()
            if len(number) > _CARD_LENGTHS[-1]:
                break
            if len(number) >= _CARD_LENGTHS[0]:
                yield number


def _is_card(number: str) -> bool:
    """ISO/IEC 7812: the first digits of a scheme, 13 to 19 digits, Luhn's checksum."""
    if not number.isdecimal() or not _ISSUER.match(number) or len(set(number)) == 1:
        return False
    digits = [int(digit) for digit in reversed(number)]
    return (sum(digits[::2]) + sum(sum(divmod(digit * 2, 10)) for digit in digits[1::2])) % 10 == 0


def _is_resident_id(number: str) -> bool:
    """Mainland China's resident identity number: 18 places, a date of birth, a checksum."""
    if not _ID_PLAIN.fullmatch(number):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, number[:17], strict=True))
    return _ID_CHECKS[total % 11] == number[17]
