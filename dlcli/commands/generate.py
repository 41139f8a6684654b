"""`dlcli predict` of a language model: prompts and what it goes on with."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from dlcli.commands.wishes import Wishes
from dlcli.commands.writing import write_predictions, write_texts
from dlcli.data.encoders.stream import StreamEncoder
from dlcli.data.language import encoder_of
from dlcli.data.sources.files import is_file
from dlcli.data.sources.text_file import decoded
from dlcli.data.spec import UNKNOWN
from dlcli.data.wording import counted
from dlcli.errors import DataError, UsageError
from dlcli.hardware import choose_threads
from dlcli.messages import printable
from dlcli.models.generation import generate
from dlcli.progress import Talk
from dlcli.report.predictions import Predictions
from dlcli.trained import TrainedModel

_LENGTH = 200
_ENDINGS = {"csv": "csv", "json": "json", "jsonl": "jsonl", "ndjson": "jsonl"}


def write_continuations(
    model: TrainedModel,
    words: Sequence[str],
    wishes: Wishes,
    output: Path | None,
    output_format: str | None,
    talk: Talk,
) -> None:
    """Write prompts with their continuations: as plain text, or as a record of both.

    Args:
        model: A language model.
        words: Prompts, text files that hold one, or `-` for standard input.
        wishes: What `--length`, `--temperature`, `--top-k` and `--seed` say; of each prompt alone.
        output: File to write; None writes to stdout.
        output_format: None is plain text, unless the output's ending says otherwise.
        talk: Where to say what is odd about a prompt.

    Raises:
        UsageError: An option is for classifiers.
        DataError: A prompt's file is missing or no UTF-8 text.
    """
    if wishes.has_probabilities or wishes.min_confidence is not None:
        raise UsageError(
            "--probs and --min-confidence are for classifiers; this model goes on with a text",
            suggestion="--temperature and --top-k say how bold it is",
        )
    encoder = encoder_of(model.learner.preprocessor)
    prompts = [read_prompt(word) for word in words]
    for prompt in prompts:
        _note(encoder, prompt, talk)
    seed = wishes.seed or 0
    temperature = 1.0 if wishes.temperature is None else wishes.temperature

    def follow(prompt: str) -> Iterator[str]:
        return continuation(
            model,
            prompt,
            length=wishes.length or _LENGTH,
            temperature=temperature,
            top_k=wishes.top_k,
            seed=seed,
        )

    def told(prompt: str) -> Predictions:
        given: dict[str, list[Any]] = {
            "prompt": [prompt],
            "seed": [seed],
            "temperature": [temperature],
        }
        return Predictions((encoder.name,), [["".join(follow(prompt))]], places=given)

    if output_format is None and output is not None:
        output_format = _ENDINGS.get(output.suffix.lower().removeprefix("."))
    if output_format is None:
        shown = printable if output is None and sys.stdout.isatty() else str
        write_texts((map(shown, chain([each], follow(each))) for each in prompts), output)
    else:
        write_predictions(map(told, prompts), output, output_format)


def read_prompt(word: str) -> str:
    """Return what is to be continued: the word itself, what a .txt file holds, or for `-` stdin.

    Raises:
        DataError: The file is missing or no UTF-8 text.
    """
    if word == "-":
        return "".join(decoded(sys.stdin.buffer, "utf-8", "standard input"))
    if word.lower().endswith(".txt"):
        path = Path(word)
        if not is_file(path):
            raise DataError(f"there is no file `{word}`", suggestion="check the path")
        with path.open("rb") as stream:
            return "".join(decoded(stream, "utf-8", path.name))
    # bytes of the command line that are no UTF-8 arrive as lone surrogates
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def continuation(
    model: TrainedModel,
    prompt: str,
    *,
    length: int = _LENGTH,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
) -> Iterator[str]:
    """Yield the tokens with which a language model goes on; see `dlcli.models.generation`.

    After an empty prompt, it goes on as after a newline, or after the first token of its
    vocabulary where that has none.
    """
    preprocessor, network = model.learner.preprocessor, model.learner.network
    encoder, window = encoder_of(preprocessor), preprocessor.window
    assert window is not None
    torch.set_num_threads(choose_threads(model.config, model.learner, rows=1))
    new = generate(
        network,
        encoder.codes(prompt or _beginning(encoder)).tolist(),
        name=encoder.name,
        context=window.past,
        length=length,
        temperature=temperature,
        top_k=top_k,
        seed=seed,
    )
    for code in new:
        yield from encoder.decode(torch.tensor([[code]]))


def _note(encoder: StreamEncoder, prompt: str, talk: Talk) -> None:
    """Say what is odd about a prompt."""
    if not prompt:
        talk.say(f"the prompt is empty: going on after {_beginning(encoder)!r}")
    if count := int((encoder.codes(prompt) == UNKNOWN).sum()):
        found = f"{counted(count, encoder.level)} of the prompt"
        talk.warn(
            f"{found} {'is' if count == 1 else 'are'} unknown: not (often enough) in training"
        )


def _beginning(encoder: StreamEncoder) -> str:
    return "\n" if "\n" in encoder.vocabulary else encoder.vocabulary[0]
