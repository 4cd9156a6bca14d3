"""What somebody sees where a page or the server fails: a sentence and an id, which the log explains."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

import streamlit as st
from starlette.requests import ClientDisconnect

from app.api import log
from app.api.refusals import FAILED, RefusalError, refused


class Failures:
    """ASGI middleware: an error that nothing else has caught is answered as those of the API are, and logged.

    Below what counts answers and adds headers. Where an answer has begun, the server closes the connection.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Callable[..., Any]) -> None:
        """Passes everything on."""
        begun = False

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:
            return  # nobody is there to be told, and nothing is wrong here
        except Exception as error:
            if scope["type"] == "lifespan":
                raise
            failure = log.new_id()
            log.say_failure("failure", failure, error)
            if begun:
                raise
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1011, "reason": failure})
                return
            answer = refused(RefusalError(500, FAILED), failure)
            answer.headers["x-request-id"] = failure
            await answer(scope, receive, send)


def page_failed(error: Exception) -> bool:
    """To be called with an error that a page did not handle; returns whether the visitor has been told.

    Where the operator has details shown (`client.showErrorDetails`), Streamlit shows the error itself.
    """
    failure = log.new_id()
    log.say_failure("page failure", failure, error)
    if st.get_option("client.showErrorDetails") != "none":
        return False
    st.error(
        f"Something went wrong on this page: reload it, or go on with another one. The log of the server says more "
        f"under {failure}."
    )
    return True
