"""The command `buildhush.verify`: the canary build, because the user asked for it, beside the server's thread."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from buildhush.lsp.protocol import Later, request_failed

if TYPE_CHECKING:
    from buildhush.lsp.documents import Document
    from buildhush.lsp.server import BuildhushServer
    from buildhush.verify.plan import Plan
    from buildhush.verify.session import Verdict

logger = logging.getLogger(__name__)

_numbers = itertools.count(1)
_LONGEST_STEP = 100


def verify(server: BuildhushServer, document: Document) -> Later:
    """Build the saved file with canaries instead of secrets; the reply comes when the build is done.

    Cancelling the request gives up the reply; the build that runs already ends by itself.
    """
    from buildhush.verify.plan import make_plan

    if document.path is None or _text_on_disk(document.path) != document.text:
        raise request_failed("save the file first: the build reads it from the disk")
    identifier = server.protocol.current_request
    if identifier is None:
        raise request_failed("the build needs a request to answer")
    token = f"buildhush-verify-{next(_numbers)}"
    path, places = Path(document.path), server.configuration.places(document.path)
    planned = partial(make_plan, path, places=places, settings=server.configuration.settings(document))

    def start(result: Any = None, problem: Exception | None = None) -> None:
        shown = token if server.client.work_done_progress and problem is None else None
        work = threading.Thread(target=_run, args=(server, identifier, planned, shown), daemon=True)
        work.start()

    if server.client.work_done_progress:
        server.protocol.ask(types.WINDOW_WORK_DONE_PROGRESS_CREATE, {"token": token}, start)
    else:
        start()
    return Later()


def _run(server: BuildhushServer, identifier: int | str, planned: Callable[[], Plan], token: str | None) -> None:
    from buildhush.verify.engine import EngineError
    from buildhush.verify.plan import PlanError
    from buildhush.verify.session import find_engine, run_verification

    progress = _Progress(server, token)
    try:
        progress.send({"kind": "begin", "title": "Canary build", "cancellable": False})
        verdict = run_verification(planned(), find_engine(None, None), progress.step)
    except (PlanError, EngineError) as error:
        server.protocol.finish(identifier, problem=request_failed(str(error)))
    except Exception as error:
        logger.error("the canary build failed: %s", type(error).__name__, exc_info=True)
        server.protocol.finish(identifier, problem=request_failed("the canary build failed inside the server"))
    else:
        summary = summary_of(verdict)
        server.protocol.finish(identifier, _as_json(verdict, summary))
        bad = verdict.leaks or not verdict.proven
        server.show(types.MessageType.Warning if bad else types.MessageType.Info, summary)
    finally:
        progress.send({"kind": "end"})


class _Progress:
    """Reports to the client, when it wants to hear."""

    def __init__(self, server: BuildhushServer, token: str | None) -> None:
        self._server = server
        self._token = token

    def send(self, value: dict[str, Any]) -> None:
        if self._token is not None:
            self._server.protocol.notify(types.PROGRESS, {"token": self._token, "value": value})

    def step(self, name: str, state: str) -> None:
        if state == "started":
            self.send({"kind": "report", "message": " ".join(name.split())[:_LONGEST_STEP]})


def summary_of(verdict: Verdict) -> str:
    """The verdict in one sentence or two, for a message box."""
    seen: dict[str, list[str]] = {}
    for row in verdict.rows:
        if row.seen:
            seen.setdefault(str(row.canary), []).append(row.sink)
    found = "; ".join(f"{name} in {', '.join(dict.fromkeys(sinks))}" for name, sinks in seen.items())
    if not verdict.proven:
        step = f" at {verdict.failed_step}" if verdict.failed_step else ""
        return f"The canary build failed{step}, so it proves nothing." + (
            f" Seen until then: {found}." if found else ""
        )
    if found:
        return f"The canary build found secrets: {found}."
    return "The canary build found no secret in the image, its history or the build log."


def _as_json(verdict: Verdict, summary: str) -> dict[str, Any]:
    rows = [
        {
            "secret": str(row.canary),
            "sink": row.sink,
            "agreement": row.agreement.value,
            "places": [item.place for item in row.evidence],
        }
        for row in verdict.rows
    ]
    return {
        "summary": summary,
        "proven": verdict.proven,
        "leaks": verdict.leaks,
        "rows": rows,
        "clean": [str(name) for name in verdict.clean],
        "notes": list(verdict.notes),
    }


def _text_on_disk(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            return stream.read()
    except (OSError, ValueError):
        return None
