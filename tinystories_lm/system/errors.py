"""Define the errors that end a command: each is one line for a person and an exit code for a script."""

from enum import IntEnum


class ExitCode(IntEnum):
    meaning: str

    def __new__(cls, number: int, meaning: str) -> "ExitCode":
        """Make a member that is its number and also has a meaning in words."""
        code = int.__new__(cls, number)
        code._value_ = number
        code.meaning = meaning
        return code

    DONE = 0, "done"
    FAILED = 1, "failed, or a replay found a difference"
    USAGE = 2, "wrong usage, configuration or hardware"
    DAMAGED = 3, "data or checkpoint damaged"
    CANNOT_WRITE = 5, "the disk is full, read-only or another person's"
    DIVERGED = 6, "the loss or a gradient stayed non-finite"
    NEWER_FORMAT = 7, "made by a newer version of this program"
    IN_USE = 8, "the run folder belongs to another process"
    INTERRUPTED = 75, "stopped on request with a checkpoint: the same command resumes the run"


class CommandError(Exception):
    """A failure that the user can act on: one line with the fact, its place and the fix."""

    exit_code = ExitCode.FAILED

    def __str__(self) -> str:
        return super().__str__().replace("\n", " ")  # what was typed may have line breaks


class UsageError(CommandError):
    """Wrong usage, configuration or hardware: nothing was started."""

    exit_code = ExitCode.USAGE


class DamagedError(CommandError):
    """Data or a checkpoint differs from what was recorded of it."""

    exit_code = ExitCode.DAMAGED


class CannotReadError(DamagedError):
    """The system refuses to give a file out: its contents are unknown, and must not be replaced."""

    exit_code = ExitCode.CANNOT_WRITE


class CannotWriteError(CommandError):
    """The disk is full, read-only or another person's."""

    exit_code = ExitCode.CANNOT_WRITE


class DivergedError(CommandError):
    """The loss, a gradient or a weight became NaN or infinite."""

    exit_code = ExitCode.DIVERGED


class NewerFormatError(CommandError):
    """A file was written by a newer version of this program."""

    exit_code = ExitCode.NEWER_FORMAT


class RunFolderInUseError(CommandError):
    """Another process is writing to the run folder."""

    exit_code = ExitCode.IN_USE


class DeadlineError(CommandError):
    """The run took longer than it may and saved a checkpoint."""


class Interrupted(CommandError):
    """The run was asked to stop and saved a checkpoint first."""

    exit_code = ExitCode.INTERRUPTED


class Paused(Interrupted):
    """The run reached the step at which it was to pause, and saved a checkpoint first."""
