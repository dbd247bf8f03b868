"""Commands in documents: lines of shell blocks, and code within sentences."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_SHELL = ("", "sh")


def blocks(page: str) -> list[str]:
    """Return the shell blocks of a page in their order, without the indentation of a list."""
    return [
        re.sub(rf"^{found[1]}", "", found[3], flags=re.MULTILINE)
        for found in _BLOCK.finditer(page)
        if found[2] in _SHELL
    ]


def texts(page: str) -> list[str]:
    """Return the lines of shell blocks, and code within sentences."""
    lines = [line for block in blocks(page) for line in block.replace("\\\n", " ").splitlines()]
    return lines + re.findall(r"`([^`\n]+)`", _BLOCK.sub("", page))


def calls(text: str, programs: Collection[str]) -> list[list[str]]:
    """Return the calls of programs in a line of shell, each as its words; `a $(b)` counts as two."""
    inner = re.findall(r"\$\(([^()]*)\)", text)
    lexer = shlex.shlex(re.sub(r"\$\([^()]*\)", "VALUE", text), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    try:
        for word in lexer:
            if set(word) <= set("|&;"):
                found.append([])
            else:
                found[-1].append(word)
    except ValueError:
        found = []  # text such as `it's`, which is not a command
    commands = [words for words in found if words and words[0] in programs and len(words) > 1]
    return [*commands, *(words for text in inner for words in calls(text, programs))]


def without_redirections(words: list[str]) -> list[str]:
    """Return the words of a command up to its first redirection."""
    ends = [index for index, word in enumerate(words) if set(word) & set("<>") and len(word) < 3]
    return words[: ends[0] if ends else None]
