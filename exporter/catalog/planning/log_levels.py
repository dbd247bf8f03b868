r"""Lines of the usual error levels, in the forms in which loggers write them.

A level is told by its place and not by the word alone, so that `errors=0` and `no error` are none. It is one of
- a word in capitals that stands alone: `ERROR:root:…`, `[main] ERROR com.example`, `… UTC [1] FATAL:  …`
- a word in brackets, whatever its case: `[error]`, `[core:error]`, `[Warning]`
- the value of a level's key: `level=error`, `"level": "error"`, `"severity":"ERROR"`, the numbers of pino and bunyan
- what a line begins with, perhaps after a time: `error: …`, `TypeError: …`, `panic: …`, `E0102 15:04:05` of klog
A line of free text in which such a word stands in capitals counts too: the loggers leave no way to tell.

RE2 cannot look around, so each expression also takes in the characters next to the word. That changes nothing:
a line counts once per expression, wherever it matches.
"""

from __future__ import annotations

_ALONE = r"(?:^|[^\w.\"'/=-]|\dm)"
"""What is before a word that is no part of a longer word, a path, an option or a value; it may be coloured."""
_NO_KEY = r"(?:$|[^\w=\"':]|:(?:$|[^ ]| (?:$|[^0]|0\w)))"
"""What is after it: neither the rest of a word or key, nor `: 0`."""
_FIRST = r"(?:^|\dm|[\dZ\]] )"
"""A line's beginning, or what is before the first word after a time, a bracket or a colour."""
_KEY = r"(?:^|[^?&\w])"
_COLON = r"(?:\x1b\[\d+m)?: "


def _capitals(words: str) -> str:
    return rf"{_ALONE}(?:{words}){_NO_KEY}"


def _beginning(words: str) -> str:
    return rf"{_FIRST}(?:{words})"


def _keyed(values: str, number: int, letter: str) -> tuple[str, ...]:
    """`number`: of pino and bunyan. `letter`: of MongoDB, and of klog at a line's beginning."""
    value = rf"\"?[=:] ?(?:\"?(?i:{values})\b|{number}\b)"
    return (
        rf"{_KEY}(?:le?ve?l|log\.?level|levelname){value}",
        rf"{_KEY}s(?:everity{value}|\": ?\"{letter}\")",
        rf"@l\": ?\"(?i:{values})\"",
        rf"^{letter}\d{{4}} \d\d:\d\d:\d\d",
    )


_CRITICAL = (
    _capitals("CRIT(?:ICAL)?"),
    _capitals("EMERG(?:ENCY)?"),
    _capitals("FATAL|FTL"),
    _capitals("PANIC"),
    r"\[(?:\w+:)?(?:[Cc]rit(?:ical)?|[Ff]atal|[Aa]lert|ALERT|[Ee]merg(?:ency)?) *\]",
    *_keyed("crit(?:ical)?|d?panic|fatal|alert|emerg(?:ency)?", 60, "F"),
    _beginning(f"crit(?:ical)?{_COLON}"),
    _beginning(f"fatal(?: error)?{_COLON}"),
    _beginning("panic: "),
    _beginning("PHP Fatal error: "),
    _beginning("thread '[^']*' panicked"),
)
_ERROR = (
    _capitals("ERR(?:OR)?"),
    _capitals("SEVERE"),
    r"\[(?:\w+:)?[Ee]rr(?:or)? *\]",
    *_keyed("err(?:or)?|eror|severe", 50, "E"),
    _beginning(f"err(?:or)?{_COLON}"),
    _beginning(f"fail{_COLON}"),
    r"^(?:[A-Z]\w*)?Error: ",
    r"^Uncaught (?:\w*Error|Exception)\b",
)
_WARNING = (
    _capitals("WARN(?:ING)?|WRN"),
    r"\[(?:\w+:)?[Ww]arn(?:ing)? *\]",
    *_keyed("warn(?:ing)?", 40, "W"),
    _beginning(f"warn(?:ing)?{_COLON}"),
    _beginning(f"Warning{_COLON}"),
    _beginning("PHP Warning: "),
    r"^\(node:\d+\) (?:\[\w+\] )?\w*Warning: ",
    r"^/\S*:\d+: \w*Warning: ",
)

DEFAULT_PATTERNS: tuple[tuple[str, str], ...] = (
    ("critical", "|".join(_CRITICAL)),
    ("error", "|".join(_ERROR)),
    ("warning", "|".join(_WARNING)),
)
"""Names and regular expressions of `logs: on`. A line counts in each whose expression is found in it."""
