"""What sosie raises. `code` is the library's stable name of the failure."""


class Error(Exception):
    """The base of all of sosie's errors. Messages say what to do next and hold no prompt and no secret."""

    code = "internal"


class InvalidArgumentError(Error, ValueError):
    """An argument breaks a stated rule; nothing was done."""

    code = "invalid_argument"


class NotFoundError(Error, LookupError):
    """A named file or model does not exist."""

    code = "not_found"


class UnavailableError(Error):
    """A peer or a resource cannot be used now; trying later may work."""

    code = "unavailable"


class DeadlineExceededError(Error, TimeoutError):
    """The time allowed ran out."""

    code = "deadline_exceeded"


class CancelledError(Error):
    """The caller or a shutdown ended the operation."""

    code = "cancelled"


class ResourceExhaustedError(Error):
    """A stated limit (size, queue, disk) is reached."""

    code = "resource_exhausted"


class DataCorruptionError(Error):
    """Stored bytes contradict their own description."""

    code = "data_corruption"


class PermissionDeniedError(Error, PermissionError):
    """The operating system or a peer refuses access."""

    code = "permission_denied"


class UnsupportedError(Error):
    """Understood, but this build or machine cannot do it."""

    code = "unsupported"


class InternalError(Error):
    """A broken promise of sosie's: please report it."""

    code = "internal"


class PromptError(InvalidArgumentError, AttributeError):
    """A request of a shape that upstream raises an AttributeError on: `messages` that are not a list of messages."""


class UnreadableValueError(DataCorruptionError, ValueError, TypeError, RecursionError):
    """A stored value that upstream raises one of these on: digits without end, a key that cannot be hashed, nesting too deep."""


_BY_CODE = {
    kind.code: kind
    for kind in (
        InvalidArgumentError,
        NotFoundError,
        UnavailableError,
        DeadlineExceededError,
        CancelledError,
        ResourceExhaustedError,
        DataCorruptionError,
        PermissionDeniedError,
        UnsupportedError,
        InternalError,
    )
}


def error_class(code):
    """The class for a code of the library."""
    return _BY_CODE.get(code, InternalError)
