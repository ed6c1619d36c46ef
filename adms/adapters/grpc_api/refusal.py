"""Errors as clients expect them: a status code, and every problem as a google.rpc.BadRequest detail."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import grpc.aio
from google.protobuf import any_pb2
from google.rpc import (  # type: ignore[import-untyped, unused-ignore]
    code_pb2,
    error_details_pb2,
    status_pb2,
)
from grpc_status import rpc_status  # type: ignore[import-untyped, unused-ignore]

from adms.core.errors import AdapterError, InputError, Problem

Context = grpc.aio.ServicerContext[Any, Any]

DETAILS_MAX = 4000
"""Characters of all descriptions together: HTTP/2 bounds what a trailer holds."""
DESCRIPTION_MAX = 500


def refuse_too_many(count: int, *, most: int, element: str, field: str) -> None:
    """Raises InputError where a message has more of something than is taken, before any is looked at."""
    if count > most:
        raise InputError(
            [Problem(element=element, field=field, value=str(count), message=f"at most {most} in a message")]
        )


async def abort_with_problems(
    context: Context, problems: Iterable[Problem], *, code: int = code_pb2.INVALID_ARGUMENT
) -> NoReturn:
    """Ends the call with a status that lists the problems, as many as there is room for."""
    violations = []
    room = DETAILS_MAX
    for problem in problems:
        where = f"{problem.element}.{problem.field}" if problem.field else problem.element
        text = str(problem)[:DESCRIPTION_MAX]
        room -= len(text)
        if room < 0:
            break
        violations.append(error_details_pb2.BadRequest.FieldViolation(field=where[-100:], description=text))
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.BadRequest(field_violations=violations))
    message = "; ".join(violation.description for violation in violations)
    # Trailers are bounded by HTTP/2 header limits; the details carry what the message cuts.
    status = rpc_status.to_status(status_pb2.Status(code=code, message=message[:1000], details=[detail]))
    await context.abort(status.code, status.details, status.trailing_metadata)
    raise AssertionError("abort raises")


@asynccontextmanager
async def refusing(context: Context) -> AsyncIterator[None]:
    """Turns what the ports raise into status codes: bad input INVALID_ARGUMENT with details, a failing edge
    UNAVAILABLE where a retry may help, else FAILED_PRECONDITION."""
    try:
        yield
    except InputError as error:
        await abort_with_problems(context, error.problems[:50])
    except AdapterError as error:
        code = grpc.StatusCode.UNAVAILABLE if error.retryable else grpc.StatusCode.FAILED_PRECONDITION
        await context.abort(code, str(error))
