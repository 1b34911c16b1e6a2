"""Files that want to take time, memory or stack: name -> a text, each made only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable

_HEAD = "FROM alpine\n"
_SECRET = "RUN --mount=type=secret,id=t "


def _lines(line: str, count: int) -> str:
    return line * count


HOSTILE: dict[str, Callable[[], str]] = {
    "binary": lambda: "".join(map(chr, range(256))) * 200,
    "5 MB": lambda: _HEAD + _lines("RUN echo hello && true\n", 220_000),
    "one line of 900,000 characters": lambda: _HEAD + "RUN echo " + "a" * 900_000 + "\n",
    "one word list of 900,000 characters": lambda: _HEAD + "RUN echo " + "a " * 450_000 + "\n",
    "a RUN of 10,000 lines": lambda: _HEAD + _SECRET + _lines("echo step && \\\n", 10_000) + "true\n",
    "a RUN of 10,000 lines with a secret": lambda: (
        _HEAD + _SECRET + _lines("cat /run/secrets/t >> /app/log && \\\n", 10_000) + "true\n"
    ),
    "a RUN that writes 5,000 files": lambda: (
        _HEAD + _SECRET + "".join(f"cat /run/secrets/t > /app/{n}; \\\n" for n in range(5_000)) + "true\n"
    ),
    "5,000 RUNs that write files": lambda: (
        _HEAD + "".join(f"{_SECRET}cat /run/secrets/t > /app/{n}\n" for n in range(5_000))
    ),
    "a heredoc of 10,000 lines": lambda: (
        _HEAD + _SECRET + "<<E\n" + _lines("cat /run/secrets/t > /app/x\n", 10_000) + "E\n"
    ),
    "5,000 nested substitutions": lambda: _HEAD + "RUN echo " + "$(" * 5_000 + "\n",
    "5,000 nested substitutions, closed": lambda: _HEAD + _SECRET + "echo " + "$(echo " * 5_000 + ")" * 5_000 + "\n",
    "5,000 nested expansions": lambda: _HEAD + "RUN echo " + "${a:-" * 5_000 + "}" * 5_000 + "\n",
    "5,000 nested expansions in ENV": lambda: _HEAD + "ENV A=" + "${a:-" * 5_000 + "}" * 5_000 + "\n",
    "5,000 nested subshells": lambda: _HEAD + "RUN " + "(" * 5_000 + "true" + ")" * 5_000 + "\n",
    "5,000 nested braces": lambda: _HEAD + "RUN " + "{ " * 5_000 + "true; " + "} ;" * 5_000 + "\n",
    "5,000 nested ifs": lambda: _HEAD + "RUN " + "if true; then " * 5_000 + "true; " + "fi; " * 5_000 + "\n",
    "5,000 nested arithmetics": lambda: _HEAD + "RUN echo $((" + "(" * 5_000 + "1" + ")" * 5_000 + "))\n",
    "5,000 backticks": lambda: _HEAD + "RUN echo " + "`echo " * 5_000 + "\n",
    "5,000 quotes": lambda: _HEAD + "RUN echo " + "'\"" * 5_000 + "\n",
    "200 nested sh -c": lambda: _HEAD + "RUN " + "sh -c '" * 200 + "true" + "'" * 200 + "\n",
    "nested heredocs without end": lambda: _HEAD + "RUN <<A <<B <<C\n" + _lines("cat <<D\nRUN <<E\n", 5_000),
    "1,000 heredocs of one RUN": lambda: (
        _HEAD + "RUN " + " ".join(f"<<E{n}" for n in range(1_000)) + "\n" + _lines("x\n", 2_000)
    ),
    "100,000 ands": lambda: _HEAD + "RUN " + "a && " * 100_000 + "a\n",
    "20,000 alternating and or": lambda: _HEAD + _SECRET + "cat /run/secrets/t > /x && a || " * 10_000 + "a\n",
    "20,000 pipes": lambda: _HEAD + "RUN " + "a | " * 20_000 + "a\n",
    "20,000 semicolons": lambda: _HEAD + _SECRET + "cat /run/secrets/t > /x; " * 20_000 + "a\n",
    "a function that calls itself": lambda: _HEAD + "RUN f() { f; }; f\n",
    "functions that call each other": lambda: _HEAD + "RUN f() { g; g; }; g() { f; f; }; f; g\n",
    "a fan of functions": lambda: (
        _HEAD
        + "RUN "
        + "".join(f"f{n}() {{ f{n + 1}; f{n + 1}; }}; " for n in range(40))
        + "f40() { cat /run/secrets/t; }; f0\n"
    ),
    "a bomb": lambda: _HEAD + "RUN :(){ :|:& };:\n",
    "nested loops": lambda: (
        _HEAD + _SECRET + "while true; do " * 60 + "cat /run/secrets/t >> /x; " + "done; " * 60 + "\n"
    ),
    "a loop over 10,000 words": lambda: (
        _HEAD + _SECRET + "for i in " + "w " * 10_000 + "; do cat /run/secrets/t > /$i; done\n"
    ),
    "100 branches": lambda: _HEAD + _SECRET + "if a; then cat /run/secrets/t > /x; else rm /x; fi; " * 100 + "true\n",
    "1,000 branches on different files": lambda: (
        _HEAD + _SECRET + "".join(f"if a; then cat /run/secrets/t > /x{n}; fi; " for n in range(1_000)) + "true\n"
    ),
    "a case of 5,000": lambda: (
        _HEAD + _SECRET + "case $x in " + "".join(f"{n}) cat /run/secrets/t > /{n};; " for n in range(5_000)) + "esac\n"
    ),
    "eval that doubles": lambda: (
        _HEAD + "RUN " + "".join(f'a{n + 1}="$a{n}$a{n}"; ' for n in range(60)) + 'eval "$a60"\n'
    ),
    "a variable that doubles": lambda: (
        _HEAD + "ENV a0=xxxxxxxxxx\n" + "".join(f"ENV a{n + 1}=$a{n}$a{n}\n" for n in range(60)) + "RUN echo $a60\n"
    ),
    "an ARG that doubles before FROM": lambda: (
        "ARG a0=x\n" + "".join(f"ARG a{n + 1}=$a{n}$a{n}\n" for n in range(60)) + "FROM $a60\nRUN a\n"
    ),
    "10,000 stages": lambda: "".join(f"FROM a AS s{n}\n" for n in range(10_000)),
    "2,000 stages, each from the one before": lambda: (
        "FROM a AS s0\n"
        + _SECRET
        + "cat /run/secrets/t > /x\n"
        + "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(2_000))
    ),
    "2,000 stages that copy from each other": lambda: (
        "FROM a AS s0\n"
        + _SECRET
        + "cat /run/secrets/t > /x\n"
        + "".join(f"FROM a AS s{n + 1}\nCOPY --from=s{n} / /\n" for n in range(2_000))
    ),
    "10,000 build arguments": lambda: _HEAD + "".join(f"ARG TOKEN{n}\n" for n in range(10_000)),
    "2,000 arguments that a RUN reads": lambda: (
        _HEAD
        + "".join(f"ARG TOKEN{n}\n" for n in range(2_000))
        + "RUN echo "
        + "".join(f"$TOKEN{n} " for n in range(2_000))
        + "> /x\n"
    ),
    "2,000 RUNs that read 100 arguments": lambda: (
        _HEAD + "".join(f"ARG TOKEN{n}\n" for n in range(100)) + "RUN echo $TOKEN0 $TOKEN99\n" * 2_000
    ),
    "10,000 pairs in one ENV": lambda: _HEAD + "ENV " + "".join(f"TOKEN{n}=x{n} " for n in range(10_000)) + "\n",
    "1,000 secret mounts": lambda: (
        _HEAD + "RUN " + "".join(f"--mount=type=secret,id=t{n} " for n in range(1_000)) + "cat /run/secrets/t7\n"
    ),
    "10,000 mount options": lambda: _HEAD + "RUN --mount=type=secret," + "a=b," * 10_000 + "id=t true\n",
    "1,000 nested ONBUILDs": lambda: _HEAD + "ONBUILD " * 1_000 + "RUN true\n",
    "20,000 comments": lambda: _HEAD + "# buildhush: ignore=secret-in-arg -- x\n" * 20_000 + "RUN a\n",
    "20,000 continuations": lambda: _HEAD + "RUN a \\\n" + "# c\n\n" * 20_000 + "b\n",
    "20,000 backslashes": lambda: _HEAD + "RUN echo " + "\\" * 20_000 + "\n",
    "a JSON array of 20,000": lambda: _HEAD + 'CMD ["a"' + ',"b"' * 20_000 + "]\n",
    "5,000 nested JSON arrays": lambda: _HEAD + "CMD " + "[" * 5_000 + "]" * 5_000 + "\n",
    "globs": lambda: _HEAD + _SECRET + "cat /run/secrets/t > /" + "a" * 200 + "; rm -f /" + "*a" * 100 + "b\n",
    "ids that look like patterns": lambda: _HEAD + _SECRET + "cat /run/secrets/" + "[" * 3_000 + "*" * 3_000 + "\n",
    "10,000 dots of a path": lambda: _HEAD + _SECRET + "cat /run/secrets/t > /" + "a/../" * 10_000 + "x\n",
}
