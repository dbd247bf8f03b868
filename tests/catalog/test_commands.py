"""Text of command and entrypoint, split as Compose splits it."""

from __future__ import annotations

import pytest

from exporter.catalog.values.commands import split

WORDS = {
    "": (),
    "  ": (),
    "npm run start": ("npm", "run", "start"),
    'sh -c \'a; b | c\' "q ${X} \\"y\\"" c\\ d # e': (
        *("sh", "-c", "a; b | c", 'q ${X} "y"', "c d", "#", "e"),
    ),
    "a \"b\\nc\" 'd\\ne' \"\" f''g": ("a", "bnc", "d\\ne", "", "fg"),
    "serve\n  --port 80\n": ("serve", "--port", "80"),
    "--x=*.[a-z] {y} $HOME é": ("--x=*.[a-z]", "{y}", "$HOME", "é"),
}


@pytest.mark.parametrize("text", WORDS)
def test_words(text: str) -> None:
    assert split(text) == WORDS[text]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("echo a; echo b", "holds ; outside of quotes"),
        ("a 2>/dev/null", "holds > outside of quotes"),
        ("a `b`", "holds ` outside of quotes"),
        ("a $(b)", "holds ( outside of quotes"),
        ("a && b", "holds & outside of quotes"),
        ("a 'b", "a ' has no second one"),
        ('a "b', 'a " has no second one'),
        ("a \\", "a \\ begins nothing"),
    ],
)
def test_text_that_cannot_be_split(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="write a list of words") as caught:
        split(text)
    assert sentence in str(caught.value)
