"""The `sample` command: a finished model, read from its run folder, writes."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from tinystories_lm.checkpoint import load_weights
from tinystories_lm.data.tokenizer import load_tokenizer
from tinystories_lm.errors import UsageError
from tinystories_lm.files import to_json
from tinystories_lm.job import best_checkpoint
from tinystories_lm.model import Transformer
from tinystories_lm.run_folder import RunFolder, find_run, read_config
from tinystories_lm.sampling import write_texts


def load_model(run: RunFolder) -> Transformer:
    """The run's model at its best checkpoint, in float32 on the CPU, ready to write."""
    tokenizer = load_tokenizer(run.tokenizer)
    model = Transformer(read_config(run).model, vocab_size=tokenizer.get_vocab_size())
    load_weights(best_checkpoint(run), model)
    return model.eval()


def tell(
    name: str, *, prompts: Sequence[str] | None, settings: Mapping[str, float | int], as_json: bool
) -> Iterator[str]:
    """Texts of run `name`, one after the other.

    settings: sampling settings that replace the run's own.

    Raises UsageError for an impossible setting or an unknown run.
    """
    run = find_run(name)
    stored = read_config(run).sampling
    try:
        config = dataclasses.replace(stored, **settings)  # type: ignore[arg-type]
    except ValueError as error:
        raise UsageError(str(error)) from error
    model, tokenizer = load_model(run), load_tokenizer(run.tokenizer)
    for prompt in stored.prompts if prompts is None else prompts:
        for number, sample in enumerate(write_texts(model, tokenizer, prompt, config, count=config.count)):
            if as_json:
                yield to_json(dataclasses.asdict(sample))
            else:
                yield sample.text if number == 0 else f"\n{sample.text}"
