"""reduce_on_plateau against torch's, though it keeps nothing of its own."""

from __future__ import annotations

from math import nan

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dlcli.config.scheduler import ReduceOnPlateauOptions
from dlcli.schedulers.plateau import reduce_on_plateau
from dlcli.schedulers.schedule import Plan, Schedule
from dlcli.training.state import EpochReport, State
from dlcli.training.stopping import Monitor

BATCHES = 3
ACCURACY = Monitor("val_accuracy", higher_is_better=True)
LOSS = Monitor("val_loss", higher_is_better=False)

scores = st.one_of(
    st.sampled_from([0.5, 0.50001, 0.4999, 0.6, 0.0, -0.5]),
    st.floats(-10, 10),
    st.none(),
)
options = st.builds(
    ReduceOnPlateauOptions,
    factor=st.floats(0.01, 0.99),
    patience=st.integers(0, 4),
    threshold=st.floats(0, 0.9),
    threshold_mode=st.sampled_from(["rel", "abs"]),
    cooldown=st.integers(0, 4),
    min_lr=st.sampled_from([0.0, 1e-3, 0.05]),
    eps=st.sampled_from([1e-8, 1e-3, 0.0]),
)


def schedule_of(
    chosen: ReduceOnPlateauOptions, monitor: Monitor = LOSS, lr: float = 0.1
) -> Schedule:
    return reduce_on_plateau(chosen, Plan(300, BATCHES, lr, monitor))


def history_of(values: list[float | None], monitor: Monitor = LOSS) -> list[EpochReport]:
    name = monitor.key.removeprefix("val_")
    return [
        EpochReport(epoch, epoch * BATCHES, 0.1, {"loss": 1.0 / epoch}, {"loss": 1.0, name: value})
        for epoch, value in enumerate(values, start=1)
    ]


def torchs(
    chosen: ReduceOnPlateauOptions, values: list[float | None], mode: str, lr: float
) -> list[float]:
    """Return torch's rate in each epoch and in the one after the last."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    own = chosen.model_dump(exclude={"name", "warmup"})
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode=mode, **own)
    rates = [lr]
    for value in values:
        reference.step(nan if value is None else value)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@settings(deadline=None)
@given(options, st.lists(scores, max_size=40), st.sampled_from([LOSS, ACCURACY]))
@example(ReduceOnPlateauOptions(factor=0.5, patience=0, eps=0.02), [1.0] * 10, LOSS)
@example(ReduceOnPlateauOptions(factor=0.5, patience=1, cooldown=2), [1.0] * 10, ACCURACY)
def test_it_is_torchs_in_every_epoch(chosen, values, monitor) -> None:
    expected = torchs(chosen, values, "max" if monitor.higher_is_better else "min", 0.1)
    history = history_of(values, monitor)
    schedule = schedule_of(chosen, monitor)
    for epoch, rate in enumerate(expected):
        for step in range(epoch * BATCHES, (epoch + 1) * BATCHES):
            assert 0.1 * schedule(step, history[:epoch]) == pytest.approx(rate, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(options, st.lists(scores, min_size=1, max_size=20), st.data())
def test_the_order_of_calls_and_of_histories_does_not_matter(chosen, values, data) -> None:
    histories = [history_of(values), history_of(values[::-1]), history_of([])]
    cases = [(h, n) for h in range(3) for n in range(len(histories[h]) + 1)]
    fresh = {(h, n): schedule_of(chosen)(n, histories[h][:n]) for h, n in cases}
    schedule = schedule_of(chosen)
    for h, n in data.draw(st.permutations(cases + cases)):
        assert schedule(n, histories[h][:n]) == fresh[h, n]


@settings(deadline=None)
@given(options, st.lists(st.floats(-10, 10), min_size=1, max_size=20))
def test_a_history_that_was_saved_gives_the_same(chosen, values) -> None:
    state = State(epoch=len(values), history=history_of(list(values)))
    again = State.from_data(state.to_data(), state.history_values())
    assert schedule_of(chosen)(0, again.history) == schedule_of(chosen)(0, state.history)


def test_a_history_that_grows_in_place_is_seen_to_grow() -> None:
    schedule = schedule_of(ReduceOnPlateauOptions(patience=0, factor=0.5))
    history: list[EpochReport] = []
    found = []
    for report in history_of([1.0, 1.0, 0.5, 0.6]):
        found.append(schedule(0, history))
        history.append(report)
    assert [*found, schedule(0, history)] == [1, 1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("monitor", [LOSS, ACCURACY])
def test_without_a_val_part_it_goes_by_the_train_loss(monitor: Monitor) -> None:
    losses = [3.0, 2.0, 2.5, 2.5, 2.5]
    history = [
        EpochReport(epoch, epoch, 0.1, {"loss": loss}, None)
        for epoch, loss in enumerate(losses, start=1)
    ]
    chosen = ReduceOnPlateauOptions(patience=1)
    found = [schedule_of(chosen, monitor)(0, history[:epoch]) for epoch in range(6)]
    expected = [rate / 0.1 for rate in torchs(chosen, [*losses], "min", 0.1)]
    assert found == pytest.approx(expected, abs=1e-12)
    assert found[-1] < 1


def test_the_warmup_multiplies_it() -> None:
    chosen = ReduceOnPlateauOptions(patience=0, warmup=4)
    schedule = schedule_of(chosen)
    assert schedule(1, []) == 0.5
    assert schedule(2, history_of([1.0, 2.0])) == pytest.approx(0.075)
    assert schedule(9, history_of([1.0, 2.0])) == pytest.approx(0.1)
