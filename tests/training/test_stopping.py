from __future__ import annotations

from dlcli.training.state import EpochReport, State
from dlcli.training.stopping import Monitor


def history(*values: float | None) -> list[EpochReport]:
    return [
        EpochReport(epoch, epoch, 0.1, {"loss": 1.0}, {"loss": value})
        for epoch, value in enumerate(values, start=1)
    ]


def test_the_first_of_equal_epochs_is_the_best():
    assert Monitor().best_epoch(history(3.0, 1.0, 1.0, 2.0)) == 2


def test_higher_can_be_better():
    assert Monitor(higher_is_better=True).best_epoch(history(3.0, 1.0, 5.0, 2.0)) == 3


def test_an_undefined_value_is_never_the_best():
    assert Monitor().best_epoch(history(None, 4.0, None)) == 2


def test_without_a_val_part_the_last_epoch_is_the_best():
    reports = [EpochReport(epoch, epoch, 0.1, {"loss": 1.0}, None) for epoch in (1, 2, 3)]
    assert Monitor().best_epoch(reports) == 3
    assert Monitor().best_epoch([]) == 0


def test_patience_is_spent_after_so_many_epochs_without_a_better_one():
    reports = history(2.0, 1.0, 1.5, 1.4, 1.3)
    spent = [Monitor().is_patience_spent(reports[:count], 3) for count in range(6)]
    assert spent == [False, False, False, False, False, True]


def test_state_survives_plain_data():
    state = State(epoch=2, batch=3, step=9, parts=4, history=history(1.0, None))
    assert State.from_data(state.to_data(), state.history_values()) == state
