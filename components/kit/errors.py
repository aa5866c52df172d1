"""What can go wrong in a component, and the gRPC status that the caller sees.

    ComponentError
      InputError         INVALID_ARGUMENT     the message or a parameter is wrong       permanent
      MissingDataError   NOT_FOUND            a referenced file is missing or damaged   permanent
      StorageError       FAILED_PRECONDITION  the shared folder is full or unwritable   permanent
      TemporaryError     UNAVAILABLE          a network or service fault                retried

Every other exception is a bug: INTERNAL, with the traceback in the component's log.
"""

from __future__ import annotations

import errno
from pathlib import Path

import grpc


class ComponentError(Exception):
    """Base of what a component raises on purpose; the text is one sentence for the user."""

    code = grpc.StatusCode.INTERNAL


class InputError(ComponentError):
    """The input message or a parameter is wrong; calling again cannot help."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class MissingDataError(ComponentError):
    """A file that an item refers to is missing, truncated or not what it says."""

    code = grpc.StatusCode.NOT_FOUND


class StorageError(ComponentError):
    """The shared folder cannot be written: full, read-only or not permitted."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class TemporaryError(ComponentError):
    """A fault that may pass, such as a network time-out; the caller may try again."""

    code = grpc.StatusCode.UNAVAILABLE


_STORAGE_ERRNOS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "writing is not permitted",
    errno.EPERM: "writing is not permitted",
    errno.EROFS: "the file system is read-only",
}


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return the error to raise when writing `path` failed with `error`."""
    reason = _STORAGE_ERRNOS.get(error.errno or 0) or error.strerror or str(error)
    return StorageError(f"cannot write {path}: {reason}")
