r"""Lines of the usual error levels, in the forms in which loggers write them.

A level is told by its place and not by the word alone, so that `errors=0` and `no error` are none. It is one of
- a word in capitals that stands alone: `ERROR:root:…`, `[main] ERROR com.example`, `… UTC [1] FATAL:  …`
- a word in brackets, whatever its case: `[error]`, `[core:error]`, `[Warning]`
- the value of a level's key: `level=error`, `"level": "error"`, `"severity":"ERROR"`, the numbers of pino and bunyan
- what a line begins with, perhaps after a time: `error: …`, `TypeError: …`, `panic: …`, `E0102 15:04:05` of klog
A line of free text in which such a word stands in capitals counts too: the loggers leave no way to tell.

Every alternative begins with one plain character, and what must stand before that is looked at after it: so a search
passes quickly over all characters that begin none, which makes it five times as fast on long lines.
"""

from __future__ import annotations

from string import ascii_uppercase

_ALONE = r"(?:(?<![\w.\"'/=-].)|(?<=\dm.))"
"""A word's first character; it is no part of a longer word, a path, an option or a value, but may be coloured."""
_NO_KEY = r"(?![\w=\"']|: 0\b)"
_FIRST = r"(?:(?<=^.)|(?<=\dm.)|(?<=[\dZ\]] .))"
"""A line's first character, or the first after a time, a bracket or a colour."""
_COLON = r"(?:\x1b\[\d+m)?: "


def _capitals(first: str, rest: str) -> str:
    return rf"{first}{_ALONE}(?:{rest}){_NO_KEY}"


def _beginning(first: str, rest: str) -> str:
    return rf"{first}{_FIRST}(?:{rest})"


def _keyed(values: str, number: int, letter: str) -> tuple[str, ...]:
    """`number`: of pino and bunyan. `letter`: of MongoDB, and of klog at a line's beginning."""
    value = rf"\"?[=:] ?(?:\"?(?i:{values})\b|{number}\b)"
    return (
        rf"l(?<![?&\w]l)(?:e?ve?l|og\.?level|evelname){value}",
        rf"s(?<![?&\w]s)(?:everity{value}|\": ?\"{letter}\")",
        rf"@l\": ?\"(?i:{values})\"",
        rf"{letter}(?<=^.)\d{{4}} \d\d:\d\d:\d\d",
    )


_CRITICAL = (
    _capitals("C", "RIT(?:ICAL)?"),
    _capitals("E", "MERG(?:ENCY)?"),
    _capitals("F", "ATAL|TL"),
    _capitals("P", "ANIC"),
    r"\[(?:\w+:)?(?:[Cc]rit(?:ical)?|[Ff]atal|[Aa]lert|ALERT|[Ee]merg(?:ency)?) *\]",
    *_keyed("crit(?:ical)?|d?panic|fatal|alert|emerg(?:ency)?", 60, "F"),
    _beginning("c", f"rit(?:ical)?{_COLON}"),
    _beginning("f", f"atal(?: error)?{_COLON}"),
    _beginning("p", "anic: "),
    _beginning("P", "HP Fatal error: "),
    _beginning("t", "hread '[^']*' panicked"),
)
_ERROR = (
    _capitals("E", "RR(?:OR)?"),
    _capitals("S", "EVERE"),
    r"\[(?:\w+:)?[Ee]rr(?:or)? *\]",
    *_keyed("err(?:or)?|eror|severe", 50, "E"),
    _beginning("e", f"rr(?:or)?{_COLON}"),
    _beginning("f", f"ail{_COLON}"),
    *(rf"{letter}(?<=^.)\w*Error: " for letter in ascii_uppercase if letter != "E"),
    r"E(?<=^.)(?:rror|\w*Error): ",
    r"U(?<=^.)ncaught (?:\w*Error|Exception)\b",
)
_WARNING = (
    _capitals("W", "ARN(?:ING)?|RN"),
    r"\[(?:\w+:)?[Ww]arn(?:ing)? *\]",
    *_keyed("warn(?:ing)?", 40, "W"),
    _beginning("w", f"arn(?:ing)?{_COLON}"),
    _beginning("W", f"arning{_COLON}"),
    _beginning("P", "HP Warning: "),
    r"\((?<=^.)node:\d+\) (?:\[\w+\] )?\w*Warning: ",
    r"/(?<=^.)\S*:\d+: \w*Warning: ",
)

DEFAULT_PATTERNS: tuple[tuple[str, str], ...] = (
    ("critical", "|".join(_CRITICAL)),
    ("error", "|".join(_ERROR)),
    ("warning", "|".join(_WARNING)),
)
"""Names and regular expressions of `logs: on`. A line counts in each whose expression is found in it."""
