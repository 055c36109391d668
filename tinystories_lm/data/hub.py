"""Load a dataset of the Hugging Face hub, by its name and revision, with the `datasets` library.

`huggingface_hub` downloads each file once, resumes a connection that was cut, and waits for a busy hub. What it leaves
to its caller is here: trying again after other passing errors, keeping to the revision, and one line for each failure.
"""

import functools
import logging
import re
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinystories_lm.config.schema import DataConfig
from tinystories_lm.data.text_reader import HOW_TO_PROVIDE
from tinystories_lm.system.console import counted, is_terminal, quiet_libraries
from tinystories_lm.system.errors import CannotWriteError, CommandError, DamagedError, UsageError

TRIES = 4
MOST_RETRY_SECONDS = 310  # the hub counts requests in windows of five minutes
BUSY = {408, 429, 500, 502, 503, 504}
COMMIT = re.compile("[0-9a-f]{40}")
LIBRARIES = ("httpx", "httpx2", "httpcore", "httpcore2", "urllib3", "filelock", "fsspec", "huggingface_hub")
ADVERTISER = "huggingface_hub.utils._http"  # the logger that recommends a token, which a public dataset does not need
LOG_IN = "log in with `hf auth login` or set HF_TOKEN"
# What the libraries' errors say, and what is wrong with the corpus then: the first that fits.
REFUSALS = {
    r"GatedRepo|is a gated dataset": "is gated: accept its terms at https://huggingface.co/datasets/{path} "
    f"and {LOG_IN}",
    r"RevisionNotFound|Revision '.*' doesn't exist": "has no revision {revision!r}: correct data.hub_revision",
    r"RepositoryNotFound|Dataset '.*' doesn't": f"does not exist or is private: correct data.hub_path, or {LOG_IN}",
    r"HFValidationError|namespace/name|any data file at \S+$": "has a wrong name: set data.hub_path=OWNER/NAME",
    r"Available: \[(?P<names>.*)\]": "has no configuration {name!r}: set data.hub_name to one of {names}",
    r"available configs: \[(?P<names>.*)\]": "has several configurations: set data.hub_name to one of {names}",
    r"EmptyDataset|DataFilesNotFound": "has no data files: name another data.hub_path",
    r"scripts are no longer supported": "is a program, which is never run: name another data.hub_path",
    r"Invalid credentials|\b40[13] (?:Client|Forbidden)": f"is closed to this account: {LOG_IN} of another one",
    r"OfflineModeIsEnabled": f"is not on this machine, and HF_HUB_OFFLINE is set: unset it, or {HOW_TO_PROVIDE}",
}
HTTP_LIBRARIES = {"httpx", "httpx2", "httpcore", "httpcore2"}

log = logging.getLogger(__name__)


def load_dataset(config: DataConfig) -> Any:
    """Load the dataset of that name and revision, which `datasets` downloads once and then keeps.

    Raises UsageError where it cannot be had under these settings or the hub cannot be reached, DamagedError where a
    file is damaged, CannotWriteError where it cannot be kept.
    """
    import datasets

    _take_over_output()
    try:
        with (
            quiet_libraries(*LIBRARIES),
            quiet_libraries("datasets", level=logging.CRITICAL),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", UserWarning)  # a disk without room is an error soon after
            if Path(config.hub_path).is_dir():  # its files may change, and loading them again costs little
                return datasets.load_dataset(config.hub_path, config.hub_name or None)
            return _load_from_hub(config.hub_path, config.hub_name or None, config.hub_revision or None)
    except CommandError:
        raise
    except Exception as error:  # each cause has its own type: network, name, access, disk
        raise _in_one_line(error, config) from error


def _take_over_output() -> None:
    """Leave the libraries' lines to our handlers, which hide keys, and their progress bars to terminals."""
    import datasets
    from huggingface_hub.utils.tqdm import disable_progress_bars

    for name in ("huggingface_hub", "datasets"):
        logging.getLogger(name).handlers.clear()  # each line would appear twice
    logging.getLogger(ADVERTISER).addFilter(_is_no_advertisement)
    if not is_terminal(sys.stderr):
        datasets.disable_progress_bars()
        disable_progress_bars()


def _is_no_advertisement(record: logging.LogRecord) -> bool:
    return "unauthenticated requests" not in record.getMessage()


@functools.lru_cache(maxsize=1)
def _load_from_hub(path: str, name: str | None, revision: str | None) -> Any:
    """Load a dataset once for all that ask about it: each load asks the hub about every file."""
    import datasets

    if (kept := _load_kept(path, name, revision)) is not None:
        return kept
    for tries in range(TRIES):
        try:
            found = datasets.load_dataset(path, name, revision=revision)
            _check_revision(found, path, revision)
            return found
        except Exception as error:
            pause = _seconds_to_wait(error, tries)
            if pause is None or tries + 1 == TRIES:
                raise
            log.warning("%s: trying again in %s", _reason(error), counted(pause, "second"))
            time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def _load_kept(path: str, name: str | None, revision: str | None) -> Any | None:
    """Load the dataset of a commit that was loaded before, without asking the hub; return None where there is none."""
    from datasets.packaged_modules.cache.cache import Cache

    if revision is None or not COMMIT.fullmatch(revision):  # a branch may have moved
        return None
    builder = Cache(
        repo_id=path,
        dataset_name=path.rpartition("/")[2],
        config_name=name or "default",
        version="0.0.0",
        hash=revision,
    )
    return builder.as_dataset() if Path(builder.cache_dir, "dataset_info.json").is_file() else None


def _check_revision(found: Any, path: str, revision: str | None) -> None:
    """Refuse another commit than the one asked for: without the hub, `datasets` takes the newest that it has kept."""
    import huggingface_hub

    readme = huggingface_hub.try_to_load_from_cache(path, "README.md", revision=revision, repo_type="dataset")
    wanted = Path(readme).parent.name if isinstance(readme, str) else revision
    kept = {Path(file["filename"]).parent.name for split in found.values() for file in split.cache_files}
    if wanted is not None and COMMIT.fullmatch(wanted) and kept - {wanted}:
        raise UsageError(
            f"the hub cannot be reached, and of {path} commit {', '.join(sorted(kept))} is here, not {wanted}: "
            "connect to the network, or set data.hub_revision to that commit"
        )


def _seconds_to_wait(error: Exception, tries: int) -> int | None:
    """Return how long to wait before trying again; None for an error that lasts, or that was retried already."""
    response: Any = getattr(error, "response", None)
    if response is not None and response.status_code in BUSY:
        wished = str(response.headers.get("Retry-After", ""))
        pause = int(wished) if wished.isdigit() else 2**tries
        return pause if pause <= MOST_RETRY_SECONDS else None
    is_cut = type(error).__name__ in ("ReadError", "RemoteProtocolError") or "Consistency check" in str(error)
    return 2**tries if is_cut else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _library(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _is_of_network(error: BaseException) -> bool:
    is_short = "Consistency check" in str(error)  # a file of another size than the hub announced
    is_of_library = _library(error) in {*HTTP_LIBRARIES, "huggingface_hub"}
    return is_of_library or isinstance(error, ConnectionError | TimeoutError) or is_short


def _disk_error(error: BaseException) -> OSError | None:
    """Return the error of the system that kept a file from being written; a missing one can be downloaded again."""
    if any(_library(cause) in HTTP_LIBRARIES for cause in _chain(error)):  # the system's error is the connection's
        return None
    for cause in _chain(error):
        if not isinstance(cause, OSError) or isinstance(cause, ConnectionError | TimeoutError | FileNotFoundError):
            continue
        if cause.errno is not None or "Not enough disk space" in str(cause):  # libraries' own errors have no number
            return cause
    return None


def _reason(error: BaseException) -> str:
    """Return what happened in a few words: the libraries' own first lines often lack it."""
    for cause in _chain(error):
        if (response := getattr(cause, "response", None)) is not None:
            return f"the hub answers {response.status_code} {response.reason_phrase}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


def _in_one_line(error: Exception, config: DataConfig) -> CommandError:
    """Return the error that says what is wrong with the dataset, its access, the disk or the network."""
    import datasets
    import huggingface_hub.constants

    corpus = f"the corpus {config.name} ({config.hub_path})"
    if (cause := _disk_error(error)) is not None:
        where = cause.filename or datasets.config.HF_CACHE_HOME
        return CannotWriteError(
            f"cannot keep {corpus}: {where}: {cause.strerror or cause}: free some space or set HF_HOME=FOLDER"
        )
    said = "\n".join(f"{type(cause).__name__}: {cause}" for cause in _chain(error))
    for pattern, advice in REFUSALS.items():
        if found := re.search(pattern, said, re.MULTILINE):
            named = {"path": config.hub_path, "name": config.hub_name, "revision": config.hub_revision}
            return UsageError(f"{corpus} {advice.format(**named, **found.groupdict())}")
    if isinstance(error, datasets.exceptions.DatasetGenerationError) or not any(map(_is_of_network, _chain(error))):
        owner, _, name = config.hub_path.partition("/")
        copies = f"{huggingface_hub.constants.HF_HUB_CACHE}/datasets--{owner}--{name} and "
        copies += f"{datasets.config.HF_DATASETS_CACHE}/{owner}___*"
        advice = "" if Path(config.hub_path).is_dir() else f"; remove {copies} to download it again"
        return DamagedError(f"{corpus} has a damaged file: {_reason(error.__cause__ or error)}{advice}")
    return UsageError(f"cannot download {corpus}: {_reason(error)}; run the same command later, or {HOW_TO_PROVIDE}")
