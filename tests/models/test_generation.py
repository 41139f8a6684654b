"""New tokens: drawn as their logits say, from as much of the past as a model may see."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from dlcli.config.model import GRUOptions, LSTMOptions, ModelOptions, RNNOptions, TransformerOptions
from dlcli.data.spec import UNKNOWN, DataSpec, Field, Window
from dlcli.models import generation
from dlcli.models.generation import Stepping, generate
from dlcli.models.head import StepHead
from dlcli.models.network import Network
from dlcli.models.recurrent import Recurrent
from dlcli.models.stems import StreamStem
from dlcli.models.transformer import Transformer

CONTEXT = 16
SIZE = 9
TEXT = Field("text", "tokens", (), SIZE, 6)
SPEC = DataSpec((TEXT,), (TEXT,), Window(past=CONTEXT, horizon=CONTEXT))
PROMPT = [2, 3, 4, 2]
RECURRENT = [RNNOptions, LSTMOptions, GRUOptions]


def network(options: ModelOptions) -> Network:
    torch.manual_seed(0)
    stem = StreamStem(SPEC)
    kind = Transformer if isinstance(options, TransformerOptions) else Recurrent
    body = kind(options, stem.out)
    return Network(stem, body, StepHead(body.out, (SIZE,))).eval()


def tokens(model: nn.Module, *, length: int = 30, **own: object) -> list[int]:
    settings = {"name": "text", "context": CONTEXT, "length": length} | own
    return list(generate(model, PROMPT, **settings))


@pytest.mark.parametrize("kind", RECURRENT)
def test_a_step_at_a_time_gives_the_logits_of_the_whole(kind: type[ModelOptions]) -> None:
    model = network(kind(hidden_size=12, num_layers=2))
    assert isinstance(model.body, Stepping)
    codes = [2, 5, 3, 8, 8, 4, 2, 7]
    with torch.inference_mode():
        whole = model({"text": torch.tensor([codes])})[0]
        reader = generation._Stepped(model, "text", CONTEXT)
        torch.testing.assert_close(reader.read(codes[:3]), whole[2])
        for place, code in enumerate(codes[3:], start=3):
            torch.testing.assert_close(reader.read([code]), whole[place])


@pytest.mark.parametrize("options", [LSTMOptions(hidden_size=12), TransformerOptions(d_model=8)])
def test_greedy_tokens_are_those_of_the_whole_text_so_far(options: ModelOptions) -> None:
    model = network(options)
    known = list(PROMPT)
    for code in tokens(model, length=CONTEXT - len(PROMPT), temperature=0.0):
        with torch.inference_mode():
            logits = model({"text": torch.tensor([known])})[0, -1]
        assert code == int(logits[UNKNOWN + 1 :].argmax()) + UNKNOWN + 1
        known.append(code)


def test_a_body_without_steps_sees_as_many_tokens_as_it_was_trained_on() -> None:
    model = network(TransformerOptions(d_model=8, positions="learned"))
    seen = []
    model.stem.register_forward_pre_hook(lambda _, given: seen.append(given[0]["text"].shape[1]))
    tokens(model, length=30)
    assert seen == [min(len(PROMPT) + new, CONTEXT) for new in range(30)]


@pytest.mark.parametrize("options", [LSTMOptions(hidden_size=12), TransformerOptions(d_model=8)])
def test_of_a_long_prompt_the_last_tokens_count(options: ModelOptions) -> None:
    model = network(options)
    settings = {"name": "text", "context": CONTEXT, "length": 10, "seed": 3}
    last = [2 + n % 7 for n in range(CONTEXT)]
    assert list(generate(model, [5] * 40 + last, **settings)) == list(
        generate(model, last, **settings)
    )


def test_the_seed_alone_tells_the_tokens() -> None:
    model = network(LSTMOptions(hidden_size=12))
    first = tokens(model, seed=1)
    torch.rand(7)  # the global generator has no say
    assert tokens(model, seed=1) == first
    assert tokens(model, seed=2) != first
    assert tokens(model, seed=1, length=10) == first[:10]


def test_one_token_to_choose_from_and_no_temperature_are_the_likeliest_one() -> None:
    model = network(LSTMOptions(hidden_size=12))
    greedy = tokens(model, temperature=0.0)
    assert tokens(model, top_k=1, seed=5) == greedy
    assert tokens(model, temperature=1e-300, seed=6) == greedy


def drawn(logits: torch.Tensor, *, temperature: float = 1.0, top_k: int | None = None) -> Counter:
    generator = torch.Generator().manual_seed(0)
    draws = 8_000
    found = (generation._drawn(logits, temperature, top_k, generator) for _ in range(draws))
    return Counter({code: count / draws for code, count in Counter(found).items()})


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_come_as_often_as_the_softmax_over_the_temperature_says(temperature: float) -> None:
    logits = torch.tensor([9.0, 9.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    shares = (logits[2:] / temperature).softmax(0)
    found = drawn(logits, temperature=temperature)
    assert set(found) == {2, 3, 4}  # neither padding nor the unknown one
    for code, share in enumerate(shares.tolist(), start=2):
        assert found[code] == pytest.approx(share, abs=0.02)  # over 3 standard errors


def test_top_k_leaves_the_likeliest_in_their_proportion() -> None:
    logits = torch.tensor([9.0, 9.0, 0.0, 1.0, 2.0, 0.5], dtype=torch.float64)
    found = drawn(logits, top_k=2)
    assert set(found) == {3, 4}
    assert found[4] / found[3] == pytest.approx(torch.e, rel=0.08)
    assert set(drawn(logits, top_k=100)) == {2, 3, 4, 5}
