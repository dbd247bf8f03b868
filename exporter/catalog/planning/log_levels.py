r"""Patterns for log lines of the usual error levels, in the forms that loggers write.

A level is recognised by its place, not only by the word, so `errors=0` and `no error` do not count. It is one of
- a separate word in capitals: `ERROR:root:…`, `[main] ERROR com.example`, `… UTC [1] FATAL:  …`
- a word in brackets, whatever its case: `[error]`, `[core:error]`, `[Warning]`
- the value of a level's key: `level=error`, `"level": "error"`, `"severity":"ERROR"`, the numbers of pino and bunyan
- the beginning of a line, perhaps after a time: `error: …`, `TypeError: …`, `panic: …`, `E0102 15:04:05` of klog
A line of free text with such a word in capitals also counts: the two cannot be distinguished.

RE2 has no look-around, so each expression also matches the characters next to the word. That does no harm: a line
counts once per expression, wherever it matches.
"""

from __future__ import annotations

_ALONE = r"(?:^|[^\w.\"'/=-]|\dm)"
"""Before a word that is not part of a longer word, a path, an option or a value; the word may be coloured."""
_NO_KEY = r"(?:$|[^\w=\"':]|:(?:$|[^ ]| (?:$|[^0]|0\w)))"
"""After the word: not the rest of a word or key, and not `: 0`."""
_FIRST = r"(?:^|\dm|[\dZ\]] )"
"""The beginning of a line, or the end of a time, a bracket or a colour before the first word."""
_KEY = r"(?:^|[^?&\w])"
_COLON = r"(?:\x1b\[\d+m)?: "


def _capitals(words: str) -> str:
    return rf"{_ALONE}(?:{words}){_NO_KEY}"


def _beginning(words: str) -> str:
    return rf"{_FIRST}(?:{words})"


def _keyed(values: str, number: int, letter: str) -> tuple[str, ...]:
    """Return the forms with a key. `number`: of pino and bunyan. `letter`: of MongoDB, and of klog as first letter."""
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
"""Names and regular expressions of `logs: on`. A line counts for each expression that matches in it."""
