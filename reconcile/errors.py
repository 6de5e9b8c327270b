"""
The error family, named by what the reader does next.

ReconcileError
├── SettingsError            fix the command line or `reconcile.toml`            exit 2
├── InputError               fix an input file                                   exit 3
│   ├── OrderFileError       one file cannot be read as a table of order totals
│   ├── PaymentFileError     one file cannot be read as a table of payments
│   ├── TooManyRejects       rows were rejected, more than allowed
│   ├── NotAsStated          order files hold something else than their sender states
│   ├── OtherUnit            all order totals are 100 times the payments, or a hundredth of them
│   ├── EmptySide            one side has no rows, or no usable keys
│   ├── AcceptanceError      a decision about a break cannot be read or made
│   └── UnknownItem          no item of a run has this name, or too many have
├── CommerceLayerError       look at Commerce Layer or the way to it             exit 4
│   ├── AuthError            the credentials are refused, or may not list payments
│   ├── Unreachable          no usable answer came, after every retry
│   ├── Refused              the API answered: this request is wrong
│   ├── UnknownPayment       no payment has this id
│   ├── WrongMode            live and test would be mixed
│   ├── MirrorError          the local copy cannot be used as it is
│   ├── WrongClock           the server's clock, this machine's and the records do not agree
│   └── IncompletePull       the pull cannot be proved complete
│       └── Unproved         lists and counts disagree, however often they are requested
├── OutputError              look at the disk, the output folder or the warehouse   exit 5
│   ├── FolderBusy           another run of the same date is in progress
│   └── WarehouseError       the warehouse refused the load
└── Stopped                  the run is finished and says no                     exit 1
    ├── LimitExceeded        a `--fail-on` limit is exceeded
    └── ProofFailed          totals do not add up: a bug in reconcile, nothing is published

Each error has fields first, a message of the form "where: what", and a `hint` with the remedy, which is also a note of
the exception: tracebacks show it.
A row that cannot be read is not an error but a reject (`reconcile.schema.REJECTS`).
A state that cannot be is an `assert`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class ReconcileError(Exception):
    """Base of every expected error: message for people, remedy in `hint`, exit code of the command."""

    exit_code = 1
    _hint: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def hint(self) -> str | None:
        """The remedy; as a note of the exception it is below its message in a traceback."""
        return self._hint

    @hint.setter
    def hint(self, hint: str | None) -> None:
        others = [note for note in getattr(self, "__notes__", ()) if note != f"hint: {self._hint}"]
        self.__notes__ = [*others, f"hint: {hint}"] if hint else others
        self._hint = hint

    def also(self, problems: Sequence[str]) -> None:
        """Tell further problems below the first one, which is this error's own."""
        further = [f"  {one}" for one in dict.fromkeys(problems) if one != self.message]
        self.message = "\n".join([self.message, *further])
        self.args = (self.message,)

    def explained(self) -> str:
        """Return the message and, on a line of its own, the hint."""
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class SettingsError(ReconcileError):
    """The command line, the environment or `reconcile.toml` cannot be used. Fix it and start again."""

    exit_code = 2


class InputError(ReconcileError):
    """An input file stops the run. Nothing was published."""

    exit_code = 3


class _FileError(InputError):
    def __init__(
        self,
        problem: str,
        *,
        path: str | Path,
        line: int | None = None,
        column: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.path = str(path)
        self.line = line
        self.column = column
        where = self.path if line is None else f"{self.path}:{line}"
        super().__init__(f"{where}: {problem}", hint=hint)


class OrderFileError(_FileError):
    """
    A file cannot be read as a table of order totals: missing, empty, wrong encoding, a missing column.

    `asks` is the role of a column that must be named, where that is what is missing, `among` are the places of those
    that may be it, and `why` is what makes that doubtful.
    """

    asks: str | None = None
    among: tuple[int, ...] = ()
    why: str | None = None


class PaymentFileError(_FileError):
    """A file cannot be read as a table of payments."""


class TooManyRejects(InputError):
    """
    More rows were rejected than `--max-rejects` allows. All of them are in `rejects_path`.

    `aside` is how they are set aside, `first` the file and the line of the first one.
    """

    aside = ""
    first: tuple[str, int] | None = None

    def __init__(self, message: str, *, rejects: int, rejects_path: Path | None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.rejects = rejects
        self.rejects_path = rejects_path


class NotAsStated(InputError):
    """The order files hold other rows or sums than their sender states. The message names each difference."""


class OtherUnit(InputError):
    """Order totals were read in another unit than that of the payments: all pairs are apart by exactly two decimals."""


class EmptySide(InputError):
    """One side has no rows, no usable keys, or nothing in common with the other."""

    def __init__(self, message: str, *, side: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.side = side


class AcceptanceError(InputError):
    """A decision about a break cannot be read, or there is no such break to decide about."""


class UnknownItem(InputError):
    """No item of the run has the name that was given, or too many have."""


class CommerceLayerError(ReconcileError):
    """Commerce Layer, or the way to it, stops the pull. What was pulled is kept for the next attempt."""

    exit_code = 4


class AuthError(CommerceLayerError):
    """The credentials are refused, or the token may not do what is asked of it."""


class Unreachable(CommerceLayerError):
    """
    No usable answer came within the retry budget: connection, timeout, 5xx, 429 or a broken body.

    `may_be_done`: the request was a write that may have been carried out, and only its answer was lost.
    """

    def __init__(self, message: str, *, attempts: int, may_be_done: bool = False, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.attempts = attempts
        self.may_be_done = may_be_done


class Refused(CommerceLayerError):
    """
    The API answered with a 4xx that no retry mends. The message holds its own words.

    `reason` is its name of the rule that was broken, such as `less_than_or_equal_to`, and `allowed` the rule's figure.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        reason: str | None = None,
        allowed: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.reason = reason
        self.allowed = allowed


class UnknownPayment(CommerceLayerError):
    """There are no payments of these ids, or the token may not see them."""

    def __init__(self, message: str, *, payment_ids: tuple[str, ...], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.payment_ids = payment_ids


class WrongMode(CommerceLayerError):
    """A row's `meta.mode`, the token and the settings do not agree on live or test."""


class MirrorError(CommerceLayerError):
    """The local copy belongs to something else, is in use, or is damaged."""


class WrongClock(CommerceLayerError):
    """The server's clock, this machine's clock and the newest record are too far apart: one of them is wrong."""


class IncompletePull(CommerceLayerError):
    """The payments seen do not account for the server's own counts. No report is published."""


class Unproved(IncompletePull):
    """The server's lists and its own counts disagree, however often they are requested."""


class OutputError(ReconcileError):
    """A result cannot be written: disk, rights, output folder, warehouse."""

    exit_code = 5


class FolderBusy(OutputError):
    """Another process holds the lock of this run folder."""


class WarehouseError(OutputError):
    """The warehouse cannot be reached, or refuses the load. Nothing of this load is visible in it."""


class Stopped(ReconcileError):
    """The run came to its end, and its end is no."""

    exit_code = 1


class LimitExceeded(Stopped):
    """A `--fail-on` limit is exceeded. The run folder is published and says so."""


class ProofFailed(Stopped):
    """Totals do not add up: a bug in reconcile. No report is published."""


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error of `group` that is not itself a group: one cause, one message."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def first_line(error: Exception) -> str:
    """Return the first line of what a library says, its class where it says nothing: the rest is for its authors."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
