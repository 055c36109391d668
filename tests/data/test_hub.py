"""The presets' corpora from a hub: the real libraries, a server that speaks its protocol, and what goes wrong there."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, SMALL_RUN, Command, WarmProcess, clean_environment
from tests.data.hub_corpora import SHARDS, TINYSTORIES, USED, WIKITEXT, parquet, read_rows, tinystories, wikitext
from tests.data.hub_server import Fault, HubServer
from tests.data.test_corpus import needs_real_data
from tests.faults.test_disk import Disk, mounts

pytestmark = [pytest.mark.slow, needs_real_data]


SMALL = ["data.vocab_size=300", "data.cache_dir=tokens"]
TOKEN = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz012345"
TEXTS = {"tinystories": tinystories, "wikitext2": wikitext}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """Start a hub that has both repositories, which a test may change."""
    repositories = {TINYSTORIES: tinystories().repository, WIKITEXT: wikitext().repository}
    copies = {name: replace(found, files=dict(found.files)) for name, found in repositories.items()}
    with HubServer(copies) as running:
        yield running


@pytest.fixture
def environment(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    """Return an environment that knows nothing but this hub, and has an empty folder for what is downloaded."""
    kept = {name: value for name, value in clean_environment().items() if not name.startswith(("HF_", "HUGGING"))}
    return kept | {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # counted by another server
        "HOME": str(tmp_path),
    }


def tokens_of(cache: Path) -> dict[str, bytes]:
    """Return the token files of the only corpus in a cache."""
    return {file.name: file.read_bytes() for file in cache.glob("*/*.bin")}


@pytest.fixture(scope="session")
def expected(warm_process: WarmProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """Prepare the same texts from plain files; returns the tokens of each corpus."""
    found = {}
    for corpus, text in TEXTS.items():
        folder = tmp_path_factory.mktemp(corpus)
        for name, part in text().plain.items():
            (folder / f"{name}.txt").write_text(part, encoding="utf-8")
        words = ["prepare", f"data={corpus}", f"data.path={folder}", *SMALL]
        done = warm_process.run(words, folder, clean_environment(), timeout=120)
        assert done.returncode == 0, done.stderr
        found[corpus] = tokens_of(folder / "tokens")
    return found


def one_line(done: "subprocess.CompletedProcess[str]", *, retried: bool = False) -> str:
    """Return the line that ends a command, which is its only one unless it began or tried again."""
    *before, last = done.stderr.splitlines()
    assert last.startswith("tinystories-lm: ") and done.stdout == "", done
    assert retried or not before, done
    assert not any(line.startswith(("tinystories-lm: ", "Traceback", " ")) for line in before), done
    return last


@pytest.mark.parametrize("corpus", TEXTS)
def test_a_corpus_of_the_hub_is_downloaded_once_and_is_its_text(
    corpus: str,
    hub: HubServer,
    command: Command,
    expected: dict[str, dict[str, bytes]],
    tmp_path: Path,
) -> None:
    first = command("prepare", f"data={corpus}", *SMALL)
    assert first.returncode == 0, first.stderr
    assert not re.search(r"HTTP|https?:|\d%|it/s|cached|unauthenticated", first.stdout + first.stderr), first.stderr
    assert hub.downloads() == dict.fromkeys(USED[corpus], 1)
    assert tokens_of(tmp_path / "tokens") == expected[corpus]
    header = json.loads(next((tmp_path / "tokens").glob("*/header.json")).read_text(encoding="utf-8"))
    assert header["splits"]["train"]["documents"] == TEXTS[corpus]().documents

    before = len(hub.requests)
    second = command("prepare", f"data={corpus}", *SMALL)
    trained = command("train", f"data={corpus}", *SMALL_RUN, "data.cache_dir=tokens", "hydra.run.dir=run")
    assert (second.returncode, trained.returncode) == (0, 0), trained.stderr
    assert len(hub.requests) == before, "the tokens are kept, so nothing is asked"
    assert "HTTP" not in trained.stderr
    other = command("prepare", f"data={corpus}", "data.vocab_size=301", "data.cache_dir=tokens")
    assert other.returncode == 0
    assert len(hub.requests) == before, "the dataset of that commit is kept too"


SHARD = "GET /store/"
README = "HEAD .*README.md"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("GET /api/datasets/.*/revision/", 1, 429, {"Retry-After": "1"}), id="limited API"),
        pytest.param(Fault("GET /api/datasets/.*/tree/", 1, 429, {"Retry-After": "1"}), id="limited list"),
        pytest.param(Fault("HEAD .*resolve/.*validation", 1, 429, {"Retry-After": "1"}), id="limited file's name"),
        pytest.param(Fault(SHARD, 1, 429, {"Retry-After": "1"}), id="limited file"),
        pytest.param(Fault("GET /api/datasets/.*/revision/", 1, 503), id="API fails once"),
        pytest.param(Fault("HEAD .*resolve/.*validation", 1, 500), id="file's name fails once"),
        pytest.param(Fault(SHARD, 2, 502), id="file fails twice"),
        pytest.param(Fault(SHARD, 1, body_bytes=5000), id="cut"),
        pytest.param(Fault(SHARD, 1, body_bytes=5000, resets=True), id="reset"),
        pytest.param(Fault(SHARD, 1, body_bytes=0), id="empty"),
        pytest.param(Fault(SHARD, 1, body_bytes=5000, hides_the_end=True), id="shorter than its name says"),
    ],
)
def test_a_hub_that_fails_for_a_while_is_asked_again(
    fault: Fault, hub: HubServer, command: Command, expected: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    hub.faults = [replace(fault)]
    begun = time.monotonic()
    done = command("prepare", "data=tinystories", *SMALL)
    assert done.returncode == 0, done.stderr
    assert hub.faults[0].times == 0, "the fault took place"
    assert time.monotonic() - begun < 40
    assert tokens_of(tmp_path / "tokens") == expected["tinystories"]


def test_a_large_file_that_is_cut_is_resumed_where_it_ended(
    hub: HubServer, command: Command, expected: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    """The library writes 10 MiB at a time, and resumes after the last of them."""
    files = hub.repositories[TINYSTORIES].files
    stories = parquet(read_rows(files[SHARDS[0]]), padding_bytes=12_000_000)
    files[SHARDS[0]] = stories
    hub.faults = [Fault(SHARD, 1, body_bytes=11_000_000)]
    assert command("prepare", "data=tinystories", *SMALL).returncode == 0
    assert [request.range for request in hub.requests if request.range] == [f"bytes={10 << 20}-"]
    assert tokens_of(tmp_path / "tokens") == expected["tinystories"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(Fault(SHARD, 99, 503), "503 Service Unavailable", id="file"),
        pytest.param(Fault(".", 99, 502), "", id="all"),
        pytest.param(Fault(SHARD, 99, body_bytes=5000, hides_the_end=True), "Consistency check failed", id="short"),
        pytest.param(Fault("/revision/", 99, 429, {"Retry-After": "7200"}), "429 Too Many Requests", id="hours"),
    ],
)
def test_a_hub_that_keeps_failing_is_one_line(
    fault: Fault, reason: str, hub: HubServer, command: Command, tmp_path: Path
) -> None:
    hub.faults = [replace(fault)]
    begun = time.monotonic()
    done = command("prepare", "data=tinystories", *SMALL)
    assert time.monotonic() - begun < 60
    assert done.returncode == 2
    line = one_line(done, retried=True)
    assert re.search(rf"cannot download the corpus tinystories .*{reason}.*run the same command.*data.path", line)
    assert not tokens_of(tmp_path / "tokens")


def test_a_gated_corpus_needs_a_token_which_goes_to_the_hub_only(
    hub: HubServer, command: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    hub.repositories[TINYSTORIES].is_gated = True
    refused = command("prepare", "data=tinystories", *SMALL)
    assert refused.returncode == 2
    assert re.search(r"is gated: .*/datasets/roneneldan/TinyStories .*`hf auth login`.*HF_TOKEN", one_line(refused))

    environment["HF_TOKEN"] = TOKEN
    allowed = command("train", "data=tinystories", *SMALL_RUN, "data.cache_dir=tokens", "hydra.run.dir=run")
    assert allowed.returncode == 0 and "HTTP" not in allowed.stderr, allowed.stderr
    tokens = {request.token for request in hub.requests if not request.line.startswith("GET /store/")}
    assert f"Bearer {TOKEN}" in tokens
    assert {request.token for request in hub.requests if request.line.startswith("GET /store/")} == {None}
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not any(TOKEN.encode() in text for text in [*written, (allowed.stdout + allowed.stderr).encode()])


def test_a_corpus_whose_files_alone_are_gated_is_refused(hub: HubServer, command: Command) -> None:
    headers = {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this dataset is restricted."}
    hub.faults = [Fault("(HEAD|GET) .*parquet", 99, 401, headers)]
    done = command("prepare", "data=tinystories", *SMALL)
    assert done.returncode == 2
    assert "is gated: " in one_line(done)


def test_a_token_that_the_hub_refuses_is_one_line_without_it(
    hub: HubServer, command: Command, environment: dict[str, str]
) -> None:
    environment["HF_TOKEN"] = TOKEN
    hub.faults = [Fault(".", 99, 401, {"X-Error-Message": "Invalid credentials in Authorization header"})]
    done = command("prepare", "data=tinystories", *SMALL)
    assert done.returncode == 2
    assert "HF_TOKEN" in (line := one_line(done)) and TOKEN not in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.hub_revision=0123abc"], "has no revision '0123abc': correct data.hub_revision"),
        (["data.hub_path=roneneldan/TinyStory"], "correct data.hub_path"),
        (["data.hub_path=roneneldan/Tiny/Stories"], "data.hub_path=OWNER/NAME"),
        (["data.hub_path=TinyStories"], "correct data.hub_path"),
        (
            ["data.hub_name=wikitext-3"],
            r"no configuration 'wikitext-3': set data.hub_name to .*wikitext-2-raw-v1",
        ),
        (["data.hub_name=''"], r"set data.hub_name to .*wikitext-2-raw-v1"),
        (["data.text_column=story"], "set data.text_column to one of text"),
    ],
)
def test_a_wrong_name_is_one_line_that_names_the_setting(words: list[str], message: str, command: Command) -> None:
    done = command("prepare", "data=wikitext2", *SMALL, *words)
    assert done.returncode == 2
    assert re.search(message, one_line(done, retried="text_column" in words[0]))


def test_a_repository_that_is_a_program_is_never_run(hub: HubServer, command: Command, tmp_path: Path) -> None:
    alarm = tmp_path / "alarm"
    hub.repositories[TINYSTORIES].files |= {"TinyStories.py": f"open({str(alarm)!r}, 'w')\n".encode()}
    done = command("prepare", "data=tinystories", *SMALL)
    assert done.returncode == 2 and "which is never run" in one_line(done)
    assert not alarm.exists()


def test_a_damaged_file_of_the_hub_is_named(hub: HubServer, command: Command) -> None:
    hub.repositories[TINYSTORIES].files[SHARDS[1]] = hub.repositories[TINYSTORIES].files[SHARDS[1]][:3000]
    done = command("prepare", "data=tinystories", *SMALL)
    assert done.returncode == 3
    assert re.search(r"damaged file.*remove .*datasets--roneneldan--TinyStories", one_line(done))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_kept_copy_that_was_cut_is_named(share: float, command: Command, tmp_path: Path) -> None:
    assert command("prepare", "data=tinystories", *SMALL).returncode == 0
    (file,) = (tmp_path / "hf/datasets").rglob("*-train.arrow")
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    done = command("prepare", "data=tinystories", "data.vocab_size=300", "data.cache_dir=again")
    assert done.returncode == 3, done.stderr
    assert re.search(r"damaged file.*remove .*/datasets/roneneldan___", one_line(done, retried=True))


@mounts
@pytest.mark.parametrize("kilobytes", [30, 150])
def test_a_full_disk_is_one_line(
    kilobytes: int, command: Command, environment: dict[str, str], tmp_path: Path, hub: HubServer
) -> None:
    environment["HF_HOME"] = str(tmp_path / "disk")
    disk = Disk(tmp_path / "disk", kilobytes)
    try:
        done = command("prepare", "data=tinystories", *SMALL)
        downloaded = sum(hub.downloads().values())
        disk.resize(4000)
        again = command("prepare", "data=tinystories", *SMALL)
    finally:
        subprocess.run(["umount", "--lazy", disk.path], check=True)
    assert done.returncode == 5, done.stderr
    assert re.search("cannot keep the corpus tinystories.*No space left.*HF_HOME", one_line(done))
    assert (downloaded == 5) == (kilobytes == 150), "the small one fails in a file, the larger one in the copy of all"
    assert again.returncode == 0, again.stderr


def test_a_verbose_run_shows_the_requests(command: Command) -> None:
    done = command("train", "data=tinystories", *SMALL_RUN, "data.cache_dir=tokens", "hydra.verbose=true")
    assert done.returncode == 0 and "HTTP Request: GET" in done.stderr


@pytest.mark.parametrize("offline", ["0", "1"])
def test_without_the_hub_a_kept_corpus_is_used_and_a_missing_one_is_one_line(
    offline: str, hub: HubServer, command: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    assert command("prepare", "data=tinystories", *SMALL).returncode == 0
    hub.die()
    environment["HF_HUB_OFFLINE"] = offline
    begun = time.monotonic()
    used = command("prepare", "data=tinystories", "data.vocab_size=300", "data.cache_dir=again")
    assert used.returncode == 0 and "HF_HUB" not in used.stderr, used.stderr
    assert time.monotonic() - begun < 15
    assert tokens_of(tmp_path / "again") == tokens_of(tmp_path / "tokens")
    missing = command("prepare", "data=wikitext2", *SMALL)
    assert missing.returncode == 2
    assert "data.path=FOLDER" in one_line(missing, retried=offline == "0")


def test_without_the_hub_another_revision_is_refused(
    hub: HubServer, command: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    first = hub.repositories[TINYSTORIES]
    newer = replace(first, commit="1" * 40, files=first.files | {SHARDS[0]: parquet(["another story"])})
    assert command("prepare", "data=tinystories", *SMALL).returncode == 0
    pinned = tokens_of(tmp_path / "tokens")
    hub.repositories[TINYSTORIES] = newer
    assert command("prepare", "data=tinystories", *SMALL, f"data.hub_revision={newer.commit}").returncode == 0
    environment["HF_HUB_OFFLINE"] = "1"
    kept = command("prepare", "data=tinystories", "data.vocab_size=300", "data.cache_dir=again")
    assert kept.returncode == 0, "both are kept, and the one that was asked for is used"
    assert tokens_of(tmp_path / "again") == pinned
    other = command("prepare", "data=tinystories", *SMALL, f"data.hub_revision={'0' * 40}")
    assert other.returncode == 2
    assert re.search("connect to the network", one_line(other))


def test_two_processes_download_at_once(
    hub: HubServer, environment: dict[str, str], tmp_path: Path, command: Command
) -> None:
    program = [sys.executable, "-m", "tinystories_lm", "prepare", "data=tinystories", "data.vocab_size=300"]
    both = [
        subprocess.Popen([*program, f"data.cache_dir=tokens-{number}"], cwd=tmp_path,
                         env=environment | {"PYTHONPATH": str(REPOSITORY)}, stderr=subprocess.PIPE, text=True)
        for number in range(2)
    ]  # fmt: skip
    for process in both:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    first, second = (tokens_of(tmp_path / f"tokens-{number}") for number in range(2))
    assert first == second and first
    assert hub.downloads() == dict.fromkeys(USED["tinystories"], 1)


def test_a_place_that_cannot_keep_the_corpus_is_one_line(
    command: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    environment["HF_HOME"] = str(tmp_path / "file" / "hf")
    done = command("prepare", "data=tinystories", *SMALL)
    assert done.returncode == 5
    assert re.search("cannot keep the corpus tinystories.*HF_HOME", one_line(done))
