"""Dockerfiles that stand inside a compose or bake file: their text as the builder gets it, and the way back.

Facts: compose replaces `$X` and `${X}` in every value before the builder sees it, and `$$` stands for a dollar sign
(compose specification, interpolation); bake does so with `${X}` and `%{…}` in a heredoc, where `$${` stands for `${`
(HCL native syntax). What only those programs know is kept as placeholder characters, as many as were written, so that
it reads as a word, and what is written back is what was there.
"""

from __future__ import annotations

import re

from buildhush.companions.callers import InlineDockerfile
from buildhush.companions.layout import column, newline_of
from buildhush.companions.values import Scalar
from buildhush.text.source_map import MappedText
from buildhush.text.spans import Span

_COMPOSE = re.compile(r"(?P<escape>\$\$)|\$\{[^}\n]{0,500}\}|\$[A-Za-z_]\w*")
_BAKE = re.compile(r"(?P<escape>\$\$\{|%%\{)|\$\{[^}\n]{0,500}\}|%\{[^}\n]{0,500}\}")
_NAME = re.compile(r"\$\{?\s*([A-Za-z_]\w*)")
_FIRST_PLACEHOLDER = 0xE100
_PLACEHOLDERS = 0x1000
_RUN = re.compile(f"([{chr(_FIRST_PLACEHOLDER)}-{chr(_FIRST_PLACEHOLDER + _PLACEHOLDERS - 1)}])\\1*")


def inline_in_compose(path: str, scalar: Scalar, context: str | None) -> InlineDockerfile:
    """The Dockerfile in a service's `dockerfile_inline`."""
    return InlineDockerfile(path, _filled(scalar.content, _COMPOSE), context, True, scalar)


def inline_in_bake(path: str, scalar: Scalar, context: str | None) -> InlineDockerfile:
    """The Dockerfile in a target's `dockerfile-inline`."""
    return InlineDockerfile(path, _filled(scalar.content, _BAKE), context, False, scalar)


def placed(inline: InlineDockerfile, text: str, new: str) -> str | None:
    """The file's text with `new` in the place of the Dockerfile in it.

    None when it is written in a way in which not every line end and blank is the builder's, or when a placeholder of
    the old text is not in the new one as it was.
    """
    scalar = inline.scalar
    if not isinstance(scalar, Scalar) or not inline.text.strip() or not text.startswith(("|", "<<"), scalar.span.start):
        return None
    written = scalar.content.text
    runs = [
        match.group() for match in (_COMPOSE if inline.in_compose else _BAKE).finditer(written) if not match["escape"]
    ]
    if len(_RUN.findall(new)) != len(runs) or len(runs) > _PLACEHOLDERS:
        return None
    following = iter(runs)
    escaped = new.replace("$", "$$") if inline.in_compose else new.replace("${", "$${").replace("%{", "%%{")
    filled = _RUN.sub(lambda match: next(following), escaped)
    if any(_placeholder(number, len(run)) not in new for number, run in enumerate(runs)):
        return None
    first = scalar.content.source_offset(len(written) - len(written.lstrip()))
    start, end = scalar.content.source_offset(0), scalar.content.source_offset(len(written) - 1) + 1
    indent = column(text, first)
    newline = newline_of(text)
    lines = filled.rstrip("\n").split("\n")
    body = newline.join(" " * indent + line if line else "" for line in lines)
    return text[: start - column(text, start)] + body + text[start + len(text[start:end].rstrip("\r\n")) :]


def interpolations(inline: InlineDockerfile, text: str) -> list[tuple[str, Span, int]]:
    """The variables whose values the calling program writes into the Dockerfile.

    Each with its name's place in the file of text `text`, and its offset in the Dockerfile.
    """
    found = []
    for match in _RUN.finditer(inline.text):
        start = inline.content.source_offset(match.start())
        name = _NAME.match(text, start)
        if name is not None:
            found.append((name[1], Span(*name.span(1)), match.start()))
    return found


def _placeholder(number: int, length: int) -> str:
    return chr(_FIRST_PLACEHOLDER + number % _PLACEHOLDERS) * length


def _filled(content: MappedText, pattern: re.Pattern[str]) -> MappedText:
    """The text without escapes and with placeholders, each character mapped to where it is written."""
    characters: list[str] = []
    offsets: list[int] = []
    position = number = 0

    def take(text: str, start: int) -> None:
        characters.append(text)
        offsets.extend(content.source_offset(start + step) for step in range(len(text)))

    for match in pattern.finditer(content.text):
        take(content.text[position : match.start()], position)
        if match["escape"]:
            # Of `$$` the second character is what stays, of `$${` the last two.
            take(match.group()[1:], match.start() + 1)
        else:
            take(_placeholder(number, len(match.group())), match.start())
            number += 1
        position = match.end()
    take(content.text[position:], position)
    return _mapped("".join(characters), offsets)


def _mapped(text: str, offsets: list[int]) -> MappedText:
    joined, sources = [0], [offsets[0] if offsets else 0]
    for index in range(1, len(offsets)):
        if offsets[index] != offsets[index - 1] + 1:
            joined.append(index)
            sources.append(offsets[index])
    return MappedText(text, tuple(joined), tuple(sources))
