"""The errors a person meets: one line each, with the exit code a script can act on."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means."""

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
    CANNOT_WRITE = 5, "the disk is full or read-only"
    DIVERGED = 6, "the loss or a gradient stayed non-finite"
    NEWER_FORMAT = 7, "made by a newer version of this program"
    IN_USE = 8, "the run folder belongs to another process"
    INTERRUPTED = 75, "stopped on request with a checkpoint: the same command resumes the run"


class CommandError(Exception):
    """A failure with a cause the user can act on: what was wrong, where, and what to do, in one line."""

    exit_code = ExitCode.FAILED

    def __str__(self) -> str:
        return super().__str__().replace("\n", " ")  # one line, whatever was typed


class UsageError(CommandError):
    """Wrong usage, configuration or hardware: nothing was started."""

    exit_code = ExitCode.USAGE


class DamagedError(CommandError):
    """Data or a checkpoint is not what its record says."""

    exit_code = ExitCode.DAMAGED


class CannotWriteError(CommandError):
    """The disk is full, read-only or not ours."""

    exit_code = ExitCode.CANNOT_WRITE


class DivergedError(CommandError):
    """The loss or a gradient is no finite number."""

    exit_code = ExitCode.DIVERGED


class NewerFormatError(CommandError):
    """A file was written by a newer version of this program."""

    exit_code = ExitCode.NEWER_FORMAT


class RunFolderInUseError(CommandError):
    """Another process is writing to the run folder."""

    exit_code = ExitCode.IN_USE


class Interrupted(CommandError):
    """The run was asked to stop and saved a checkpoint first."""

    exit_code = ExitCode.INTERRUPTED
