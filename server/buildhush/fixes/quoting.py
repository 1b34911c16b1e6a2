"""Where in a shell script a `$NAME` would be expanded."""

from __future__ import annotations


def is_expanded(script: str, start: int, end: int) -> bool:
    """Whether the shell would expand a variable that stood at [start, end): not inside single quotes or a comment.

    A value that stands outside any quotes must not be split, so it counts only inside double quotes, or as a part of
    an unquoted word, where the value of a credential has no white space to split at.
    """
    quote = ""
    opened = offset = 0
    while offset < start:
        character = script[offset]
        if character == "\\" and quote != "'":
            offset += 2
            continue
        if quote:
            if character == quote:
                quote = ""
        elif character in "\"'":
            quote, opened = character, offset
        elif character == "#" and (offset == 0 or script[offset - 1].isspace()):
            line_end = script.find("\n", offset)
            if line_end < 0 or line_end >= start:
                return False
            offset = line_end
        offset += 1
    # Quotes begin anew inside a substitution, which this does not follow.
    nested = bool(quote) and ("$(" in script[opened:start] or "`" in script[opened:start])
    return quote != "'" and not nested and "'" not in script[start:end]
