"""Runs buildhush with the libraries that the extension brings along.

    python start.py useBundled|fromEnvironment ARGUMENT…
    python start.py --probe

`useBundled`: the libraries beside this file come first. `fromEnvironment`: what is installed in the environment comes
first, and the libraries beside this file fill in what is missing. `--probe` prints, as JSON, what the extension must
know of this interpreter. Written so that every Python 3 can read it: an old one must still be able to say that it is.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARIES = os.path.join(HERE, "libs")
OLDEST = (3, 10)


def abi():
    """The name of the folder with what is compiled for this interpreter."""
    return "cp%d%d" % sys.version_info[:2] if sys.implementation.name == "cpython" else ""


def folders():
    """The bundled folders that this interpreter can use, None when nothing is compiled for it."""
    found = [os.path.join(LIBRARIES, name) for name in ("any", abi())]
    return found if abi() and all(os.path.isdir(folder) for folder in found) else None


def environment_version():
    """The version of buildhush that is installed in the environment, None when there is none."""
    try:
        import buildhush
    except ImportError:
        return None
    return getattr(buildhush, "__version__", None)


def main(arguments):
    """Runs what the arguments say."""
    # The folder of this file is no place to import from.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != HERE]
    if arguments[:1] == ["--probe"]:
        sys.stdout.write(
            json.dumps(
                {
                    "executable": sys.executable,
                    "version": list(sys.version_info[:3]),
                    "implementation": sys.implementation.name,
                    "bundled": folders() is not None,
                    "installed": environment_version(),
                }
            )
        )
        return 0
    strategy, rest = arguments[0], arguments[1:]
    if sys.version_info < OLDEST:
        sys.stderr.write("buildhush needs Python 3.10 or newer, this is %d.%d\n" % sys.version_info[:2])
        return 3
    bundled = folders() or []
    sys.path[:] = bundled + sys.path if strategy == "useBundled" else sys.path + bundled
    try:
        from buildhush.cli.main import main as run
    except ImportError as error:
        sys.stderr.write("buildhush can't be imported with %s: %s\n" % (sys.executable, error))
        return 3
    sys.argv = ["buildhush"] + rest
    return run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
