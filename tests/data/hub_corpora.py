"""Real text in the layout of the repositories that conf/data names, for a hub of the tests."""

import functools
import io
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.conftest import REPOSITORY
from tests.data.hub_server import Repository
from tests.data.test_corpus import REAL_DATA

TINYSTORIES, WIKITEXT = "roneneldan/TinyStories", "Salesforce/wikitext"
# As listed at the revisions that conf/data pins.
SHARDS = [
    f"data/train-0000{number}-of-00004-{end}.parquet"
    for number, end in enumerate(("2d5a1467fff1081b", "5852b56a2bd28fd9", "a26307300439e943", "d243063613e5a057"))
]
VALIDATION = "data/validation-00000-of-00001-869c898b519ad725.parquet"
WIKITEXT_CONFIGS = ("wikitext-103-raw-v1", "wikitext-103-v1", "wikitext-2-raw-v1", "wikitext-2-v1")
WIKITEXT_SPLITS = ("test", "train", "validation")
ROWS = 300  # of each split of WikiText; later ones have lines that look like titles
USED = {
    "tinystories": {*SHARDS, VALIDATION},
    "wikitext2": {f"wikitext-2-raw-v1/{split}-00000-of-00001.parquet" for split in WIKITEXT_SPLITS},
}


def pinned(corpus: str, name: str) -> str:
    """Return a setting of the corpus."""
    return str(yaml.safe_load((REPOSITORY / f"conf/data/{corpus}.yaml").read_text(encoding="utf-8"))[name])


def lines_of(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split("\n")


def parquet(rows: list[str], *, padding_bytes: int = 0) -> bytes:
    """Return a Parquet file, with padding that no reader looks at."""
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    table = pyarrow.table({"text": rows}).replace_schema_metadata({"padding": "x" * padding_bytes})
    pyarrow.parquet.write_table(table, file)
    return file.getvalue()


def read_rows(data: bytes) -> list[str]:
    import pyarrow.parquet

    rows: list[str] = pyarrow.parquet.read_table(io.BytesIO(data)).column("text").to_pylist()
    return rows


@dataclass(frozen=True)
class Text:
    """Real text, in the files of a repository and in plain files of the same text."""

    repository: Repository
    plain: dict[str, str]
    documents: int


@functools.cache
def tinystories() -> Text:
    """Take the first stories of the real corpus, in the repository's own layout and beside its other files."""
    whole = [
        (REAL_DATA / "tinystories" / f"{name}.txt").read_text(encoding="utf-8") for name in ("train-v1-head", "valid")
    ]
    train, valid = ([part.strip() for part in text.split("<|endoftext|>")[1:201]] for text in whole)
    contents = {
        ".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n",
        "Evaluation prompts.yaml": b"- Once upon a time\n",
        "README.md": b"---\nlicense: cdla-sharing-1.0\ntask_categories:\n- text-generation\n---\n\nStories.\n",
        "TinyStories-train.txt": b"another text\n<|endoftext|>\n" * 99,
        "TinyStories-valid.txt": b"another text\n",
        "TinyStories_all_data.tar.gz": b"\x1f\x8b another text",
        "load.py": b"raise SystemExit('the code of a repository was run')\n",
        VALIDATION: parquet(valid),
    } | {shard: parquet(train[50 * number : 50 * number + 50]) for number, shard in enumerate(SHARDS)}
    plain = {name: "\n<|endoftext|>\n".join(part) for name, part in (("train", train), ("valid", valid))}
    return Text(Repository(pinned("tinystories", "hub_revision"), contents), plain, len(train))


@functools.cache
def wikitext() -> Text:
    """Take lines of the real corpus as rows, in the repository's own layout, with the other configurations."""
    folder = REAL_DATA / "wikitext2"
    sources = {"train": "raw/train-head.txt", "validation": "valid.txt", "test": "raw/test.txt"}
    rows = {
        split: [f"{line}\n" if line.strip() else "" for line in lines_of(folder / file)[:ROWS]]
        for split, file in sources.items()
    }
    header = {
        "license": ["cc-by-sa-3.0", "gfdl"],
        "dataset_info": [
            {
                "config_name": name,
                "features": [{"name": "text", "dtype": "string"}],
                "splits": [{"name": split, "num_bytes": 1, "num_examples": ROWS} for split in WIKITEXT_SPLITS],
                "download_size": 1,
                "dataset_size": 3,
            }
            for name in WIKITEXT_CONFIGS
        ],
        "configs": [
            {
                "config_name": name,
                "data_files": [{"split": split, "path": f"{name}/{split}-*"} for split in WIKITEXT_SPLITS],
            }
            for name in WIKITEXT_CONFIGS
        ],
    }
    files = {
        f"{name}/{split}-00000-of-00001.parquet": parquet(rows[split] if name == "wikitext-2-raw-v1" else [name] * ROWS)
        for name in WIKITEXT_CONFIGS
        for split in WIKITEXT_SPLITS
    }
    files["README.md"] = f"---\n{yaml.safe_dump(header)}---\n\nArticles.\n".encode()
    files[".gitattributes"] = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"
    plain = {split: "".join(row or "\n" for row in part) for split, part in rows.items()}
    titles = [line for line in rows["train"] if re.fullmatch(r" = [^=].*[^=] = \n", line)]
    return Text(Repository(pinned("wikitext2", "hub_revision"), files), plain, len(titles))
