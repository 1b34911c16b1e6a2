"""JSON-RPC as the specification wants it, on top of pygls' registry, types and converter.

Differs from pygls 2.1.1 where that falls short: a malformed request gets an error reply, a failing feature costs its
own reply only, no message body is logged or sent back in an error, parameters that are needed on every keystroke are
read as plain JSON, and the document store is not pygls' own.
"""

from __future__ import annotations

import itertools
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from lsprotocol import types
from pygls.protocol import LanguageServerProtocol

from buildhush.lsp.frames import EndOfStream, Malformed
from buildhush.lsp.transport import Output

if TYPE_CHECKING:
    from buildhush.lsp.server import BuildhushServer

logger = logging.getLogger(__name__)

Answer = Callable[[Any, "ResponseProblem | None"], None]


class ResponseProblem(Exception):
    """An error reply: `code` as in the specification, `message` for a person, without document text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid_params(message: str) -> ResponseProblem:
    """The client sent something that the method does not take."""
    return ResponseProblem(types.ErrorCodes.InvalidParams, message)


def content_modified() -> ResponseProblem:
    """The document changed, and what the request refers to is no longer there."""
    return ResponseProblem(types.LSPErrorCodes.ContentModified, "the document has changed; ask again")


def request_failed(message: str) -> ResponseProblem:
    """The request was understood and can't be fulfilled; `message` tells the user why, with names out of files."""
    from buildhush.knowledge.values import hushed

    return ResponseProblem(types.LSPErrorCodes.RequestFailed, hushed(message))


def cancelled() -> ResponseProblem:
    """The client no longer wants the answer."""
    return ResponseProblem(types.LSPErrorCodes.RequestCancelled, "cancelled")


@contextmanager
def costing(what: str) -> Iterator[None]:
    """What fails inside costs that alone, and is logged. An error reply, such as to a cancellation, is none of it."""
    try:
        yield
    except ResponseProblem:
        raise
    except Exception as error:
        logger.error("%s failed: %s", what, type(error).__name__, exc_info=True)


class BuildhushProtocol(LanguageServerProtocol):
    """Messages in, messages out. `raw` handlers get plain JSON parameters, all others lsprotocol's objects."""

    _server: BuildhushServer

    def __init__(self, server: BuildhushServer, converter: Any) -> None:
        self.raw: dict[str, Callable[[Any], Any]] = {}
        self.output: Output | None = None
        self.look: Callable[[], object] = _nowhere
        """Takes in the messages that have come."""
        self.initialized = False
        self.exit_code: int | None = None
        self._asked_to_cancel: set[int | str | None] = set()
        self._current: int | str | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int | str, Answer] = {}
        self._open: set[int | str] = set()
        super().__init__(server, converter)

    def _register_builtin_features(self) -> None:
        """None of pygls' own: the life cycle and the documents are handled by the server as `raw` methods."""

    # Called when a message comes, maybe by a reading thread.

    def seen(self, message: Any) -> None:
        """Notes a cancellation before its turn, so that the request that it means is not even started."""
        if isinstance(message, dict) and message.get("method") == types.CANCEL_REQUEST:
            identifier = _cancelled_id(message)
            if identifier is not None:
                self._asked_to_cancel.add(identifier)

    # Called by the serving thread.

    def received(self, message: Any) -> None:
        """Answer one message."""
        if isinstance(message, EndOfStream):
            return
        if isinstance(message, Malformed):
            self._send_problem(None, ResponseProblem(types.ErrorCodes.ParseError, message.reason))
            return
        if not isinstance(message, dict) or message.get("jsonrpc") != self.VERSION:
            identifier = message.get("id") if isinstance(message, dict) else None
            self._send_problem(
                identifier if _is_id(identifier) else None,
                ResponseProblem(types.ErrorCodes.InvalidRequest, "not a JSON-RPC 2.0 message"),
            )
            return
        method = message.get("method")
        if isinstance(method, str):
            if "id" in message:
                self._request(message["id"], method, message.get("params"))
            else:
                self._notification(method, message)
        elif method is None and "id" in message and ("result" in message or "error" in message):
            self._response(message)
        else:
            identifier = message.get("id")
            self._send_problem(
                identifier if _is_id(identifier) else None,
                ResponseProblem(types.ErrorCodes.InvalidRequest, "neither a request nor a notification nor a response"),
            )

    def idle(self) -> float | None:
        """No message waits; in how many seconds there is more to do, None for nothing more."""
        try:
            return self._server.idle()
        except Exception as error:
            logger.error("work between messages failed: %s", type(error).__name__, exc_info=True)
            return None

    def check_cancelled(self) -> None:
        """Raises the error reply when the client has cancelled the request that is being answered."""
        self.look()
        if self._current in self._asked_to_cancel:
            raise cancelled()

    @property
    def current_request(self) -> int | str | None:
        """The id of the request that is being answered."""
        return self._current

    def _request(self, identifier: Any, method: str, params: Any) -> None:
        if not _is_id(identifier):
            self._send_problem(
                None, ResponseProblem(types.ErrorCodes.InvalidRequest, "a request id is a number or text")
            )
            return
        self._current = identifier
        result: Any = None
        self._open.add(identifier)
        try:
            self.check_cancelled()
            result = self._handle(method, params, is_request=True)
            if not isinstance(result, Later):
                self._send_result(identifier, result)
        except ResponseProblem as problem:
            self._send_problem(identifier, problem)
        except Exception as error:
            logger.error("%s failed: %s", method, type(error).__name__, exc_info=True)
            failed = ResponseProblem(types.ErrorCodes.InternalError, f"{method} failed inside the server")
            self._send_problem(identifier, failed)
        finally:
            self._current = None
            if not isinstance(result, Later):
                self._open.discard(identifier)

    def _notification(self, method: str, message: dict[str, Any]) -> None:
        if method == types.CANCEL_REQUEST:
            # Its request was answered before it, in order; keep no note of it.
            identifier = _cancelled_id(message)
            self._asked_to_cancel.discard(identifier)
            if identifier is not None:
                self.finish(identifier, problem=cancelled())  # For one that is answered later; else it is closed.
            return
        try:
            self._handle(method, message.get("params"), is_request=False)
        except ResponseProblem as problem:
            if not method.startswith("$/"):
                logger.warning("notification %s ignored: %s", _shown(method), problem.message)
        except Exception as error:
            logger.error("notification %s failed: %s", _shown(method), type(error).__name__, exc_info=True)

    def _handle(self, method: str, params: Any, *, is_request: bool) -> Any:
        if method != types.EXIT:
            self._check_phase(method)
        handler = self.raw.get(method)
        if handler is not None:
            return handler(params)
        feature = self.fm.features.get(method)
        known = types.METHOD_TO_TYPES.get(method)
        if feature is None or known is None:
            raise ResponseProblem(types.ErrorCodes.MethodNotFound, f"unknown method {_shown(method)}")
        if (known[1] is None) == is_request:
            raise ResponseProblem(types.ErrorCodes.InvalidRequest, f"{method} is not sent that way")
        return feature(self.structure(params, known[2]))

    def _check_phase(self, method: str) -> None:
        if self._shutdown:
            raise ResponseProblem(types.ErrorCodes.InvalidRequest, "the server is shutting down")
        if not self.initialized and method != types.INITIALIZE:
            raise ResponseProblem(types.ErrorCodes.ServerNotInitialized, "initialize first")
        if self.initialized and method == types.INITIALIZE:
            raise ResponseProblem(types.ErrorCodes.InvalidRequest, "already initialized")

    def structure(self, params: Any, kind: Any) -> Any:
        """Plain JSON as an lsprotocol object. Raises the error reply for JSON that does not fit."""
        if kind is None:
            return params
        try:
            return self._converter.structure(params, kind)
        except Exception as error:  # cattrs raises groups, KeyErrors, TypeErrors and ValueErrors alike.
            name = getattr(kind, "__name__", "the parameters")
            raise invalid_params(f"{name} expected") from error

    def _response(self, message: dict[str, Any]) -> None:
        identifier = message["id"]
        answer = self._waiting.pop(identifier, None) if _is_id(identifier) else None
        if answer is None:
            logger.info("a response to nothing that was asked")
            return
        error = message.get("error")
        problem = None
        if error is not None:
            code = error.get("code") if isinstance(error, dict) else None
            problem = ResponseProblem(code if isinstance(code, int) else 0, "the client refused")
        try:
            answer(message.get("result"), problem)
        except Exception as failure:
            logger.error("handling a response failed: %s", type(failure).__name__, exc_info=True)

    # Sending; from any thread.

    def finish(self, identifier: int | str, result: Any = None, problem: ResponseProblem | None = None) -> None:
        """Answer a request whose handler returned `Later`, unless it has been answered."""
        try:
            self._open.remove(identifier)
        except KeyError:
            return
        if problem is not None:
            self._send_problem(identifier, problem)
        else:
            self._send_result(identifier, result)

    def _send_result(self, identifier: int | str, result: Any) -> None:
        if isinstance(result, msgspec.Raw):
            self.send_encoded(msgspec.json.encode({"jsonrpc": self.VERSION, "id": identifier, "result": result}))
            return
        self._send({"jsonrpc": self.VERSION, "id": identifier, "result": result})

    def _send_problem(self, identifier: int | str | None, problem: ResponseProblem) -> None:
        error = {"code": int(problem.code), "message": problem.message}
        self._send({"jsonrpc": self.VERSION, "id": identifier, "error": error})

    def notify(self, method: str, params: Any | None = None) -> None:
        """Send a notification; `params` is plain JSON or an lsprotocol object."""
        self._send({"jsonrpc": self.VERSION, "method": method, "params": params})

    def ask(self, method: str, params: Any, answer: Answer) -> None:
        """Send a request; `answer` is later called in the serving thread with the result or the problem."""
        identifier = f"buildhush-{next(self._numbers)}"
        self._waiting[identifier] = answer
        self._send({"jsonrpc": self.VERSION, "id": identifier, "method": method, "params": params})

    def send_encoded(self, body: bytes) -> None:
        """Send a message that is JSON already."""
        if self.output is not None:
            self.output.write(body)

    def _send(self, message: dict[str, Any]) -> None:
        self.send_encoded(json.dumps(message, default=self.plain, separators=(",", ":")).encode())

    def plain(self, value: Any) -> Any:
        """An lsprotocol object as plain JSON."""
        return self._converter.unstructure(value)


def _nowhere() -> None:
    """No messages come but those that are handed over."""


class Later:
    """What a handler returns that will call `finish` itself."""


def _shown(method: str) -> str:
    """A method's name, unless it is no name: a confused client may send anything there, a document's text too."""
    return method if _NAME.fullmatch(method) and len(method) <= 100 else "of no name"


_NAME = re.compile(r"[$A-Za-z]+(?:/[A-Za-z]+)+")


def _is_id(value: Any) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _cancelled_id(message: dict[str, Any]) -> int | str | None:
    params = message.get("params")
    identifier = params.get("id") if isinstance(params, dict) else None
    return identifier if _is_id(identifier) else None
