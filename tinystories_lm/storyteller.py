"""The `sample` command: a finished model, read from its run folder, writes."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from tinystories_lm.errors import UsageError
from tinystories_lm.files import to_json
from tinystories_lm.run_folder import find_run, read_config
from tinystories_lm.sampling import write_texts
from tinystories_lm.trained import load_trained


def tell(
    name: str, *, prompts: Sequence[str] | None, settings: Mapping[str, float | int], as_json: bool
) -> Iterator[str]:
    """Texts of run `name`, one after the other.

    settings: sampling settings that replace the run's own.

    Raises UsageError for an impossible setting or an unknown run.
    """
    stored = read_config(find_run(name)).sampling
    try:
        config = dataclasses.replace(stored, **settings)  # type: ignore[arg-type]
    except ValueError as error:
        raise UsageError(str(error)) from error
    trained = load_trained(name)
    for prompt in stored.prompts if prompts is None else prompts:
        for number, sample in enumerate(
            write_texts(trained.model, trained.tokenizer, prompt, config, count=config.count)
        ):
            if as_json:
                yield to_json(dataclasses.asdict(sample))
            else:
                yield sample.text if number == 0 else f"\n{sample.text}"
