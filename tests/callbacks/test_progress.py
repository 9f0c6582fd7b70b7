"""Progress looks as documented, is drawn seldom, and reads metrics only to draw."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from seqonnx.callbacks import CallbackList, EarlyStopping, ModelCheckpoint, Progbar, ProgbarLogger

DONE = "━" * 20


class Clock:
    """A time that passes only when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def text(console):
    return console.file.getvalue()


def screen(console):
    """The screen of a terminal after all carriage returns, without trailing blanks."""
    shown = []
    for line in text(console).split("\n"):
        cells = []
        for part in line.split("\r"):
            cells[: len(part)] = part
        shown.append("".join(cells).rstrip())
    return shown


def run(console, clock, params, *, step_seconds=0.01, others=(), validation=True, read=None):
    """A fit of `epochs` epochs of four batches."""
    logger = ProgbarLogger(clock=clock)
    callbacks = CallbackList([*others, logger], params=params, console=console)
    callbacks.on_train_begin()
    for epoch in range(params["epochs"]):
        callbacks.on_epoch_begin(epoch)
        for batch in range(4):
            callbacks.on_train_batch_begin(batch)
            clock.now += step_seconds
            callbacks._batch_done("train", batch, read or (lambda: {"loss": 2.0, "accuracy": 0.5}))
        logs = {"loss": 1.2805, "accuracy": 0.225}
        if validation:
            callbacks.on_test_begin()
            callbacks.on_test_batch_begin(0)
            callbacks._batch_done("test", 0, lambda: {"loss": 7.0})
            callbacks.on_test_end({"loss": 7.0})
            logs |= {"val_loss": 0.0005, "val_accuracy": 0.4}
        callbacks.on_epoch_end(epoch, logs)
    callbacks.on_train_end()


METRICS = "accuracy: 0.2250 - loss: 1.2805 - val_accuracy: 0.4000 - val_loss: 5.0000e-04"


def test_verbose_2_writes_one_line_per_epoch(plain, clock):
    run(plain, clock, {"verbose": 2, "epochs": 2, "steps": 4}, step_seconds=0.4)
    line = f"4/4 - 2s - 400ms/step - {METRICS}"
    assert text(plain) == f"Epoch 1/2\n{line}\nEpoch 2/2\n{line}\n"


def test_verbose_2_is_the_same_on_a_terminal(terminal, clock):
    run(terminal, clock, {"verbose": 2, "epochs": 1, "steps": 4})
    assert text(terminal) == f"4/4 - 0s - 10ms/step - {METRICS}\n"


def test_verbose_1_off_a_terminal_writes_one_line_per_epoch(plain, clock):
    def unread():
        raise AssertionError("the metrics were read")

    run(plain, clock, {"verbose": 1, "epochs": 2, "steps": 4}, read=unread)
    line = f"4/4 {DONE} 0s 10ms/step - {METRICS}"
    assert text(plain) == f"Epoch 1/2\n{line}\nEpoch 2/2\n{line}\n"


@pytest.mark.parametrize("verbose", [0, False, 3])
@pytest.mark.parametrize("console", ["plain", "terminal"])
def test_other_levels_write_nothing(request, clock, verbose, console):
    console = request.getfixturevalue(console)
    run(console, clock, {"verbose": verbose, "epochs": 2, "steps": 4})
    assert text(console) == ""


def test_true_is_a_bar_and_auto_a_bar_on_a_terminal_only(plain, terminal, clock):
    run(plain, clock, {"verbose": True, "epochs": 1, "steps": 4})
    assert text(plain) == f"4/4 {DONE} 0s 10ms/step - {METRICS}\n"
    run(terminal, clock, {"verbose": "auto", "epochs": 1, "steps": 4})
    assert screen(terminal) == [f"4/4 {DONE} 0s 10ms/step - {METRICS}", ""]
    other = Console(file=io.StringIO(), width=80)
    run(other, clock, {"verbose": "auto", "epochs": 1, "steps": 4})
    assert text(other) == f"4/4 - 0s - 10ms/step - {METRICS}\n"


def test_unknown_level_is_refused(plain, clock):
    with pytest.raises(ValueError, match=r"`verbose` must be 'auto', 0, 1 or 2\. Received: 'loud'"):
        run(plain, clock, {"verbose": "loud", "epochs": 1, "steps": 4})


def test_bar_grows_on_a_terminal_with_time_to_go_and_running_metrics(terminal, clock):
    run(terminal, clock, {"verbose": 1, "epochs": 2, "steps": 4}, step_seconds=2.0)
    epoch = text(terminal).split("Epoch ")[1]
    drawn = [part.rstrip() for part in epoch.removeprefix("1/2\n").split("\r")]
    running = "accuracy: 0.5000 - loss: 2.0000"
    assert drawn[1:5] == [
        f"1/4 {'━' * 20} 6s 2s/step - {running}",
        f"2/4 {'━' * 20} 4s 2s/step - {running}",
        f"3/4 {'━' * 20} 2s 2s/step - {running}",
        f"4/4 {'━' * 20} 0s 2s/step - {running}",
    ]
    assert drawn[-1] == f"4/4 {DONE} 8s 2s/step - {METRICS}"
    assert screen(terminal)[0::2] == ["Epoch 1/2", "Epoch 2/2", ""]


def test_bar_is_green_where_done_and_counts_are_bold(clock):
    console = Console(
        file=io.StringIO(), width=100, force_terminal=True, color_system="standard", no_color=False
    )
    bar = Progbar(4, console=console, clock=clock)
    clock.now += 1
    bar.update(1)
    green, white = f"\x1b[32m{'━' * 5}\x1b[0m", f"\x1b[37m{'━' * 15}\x1b[0m"
    assert f"\x1b[1m1/4\x1b[0m {green}{white} \x1b[1m3s\x1b[0m 1s/step" in text(console)


def test_bar_is_drawn_at_most_every_50_ms_and_metrics_read_only_then(terminal, clock):
    reads = []
    bar = ProgbarLogger(clock=clock)
    callbacks = CallbackList(
        [bar], params={"verbose": 1, "epochs": 1, "steps": 100}, console=terminal
    )
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    for batch in range(100):
        clock.now += 1 / 128
        callbacks._batch_done("train", batch, lambda batch=batch: reads.append(batch) or {})
    # 50 ms are 6.4 steps of 1/128 s, so every 7th step draws.
    assert reads == list(range(0, 100, 7))


def test_progress_does_not_read_again_what_a_callback_has_read(terminal, clock):
    reads = []

    class Reader(EarlyStopping):
        def on_train_batch_end(self, batch, logs=None):
            pass

    run(
        terminal,
        clock,
        {"verbose": 1, "epochs": 1, "steps": 4},
        step_seconds=1.0,
        others=[Reader(patience=9)],
        read=lambda: reads.append(1) or {"loss": 1.0},
    )
    assert len(reads) == 4


def test_line_longer_than_the_terminal_is_cut_while_it_grows(clock):
    console = Console(file=io.StringIO(), width=40, force_terminal=True, color_system=None)
    run(console, clock, {"verbose": 1, "epochs": 1, "steps": 4}, step_seconds=1.0)
    drawn = text(console).split("\r")
    # Not even the last column is used: some terminals wrap right after it.
    assert [len(part) for part in drawn[1:4]] == [39] * 3
    assert text(console).endswith(f"4/4 {DONE} 4s 1s/step - {METRICS}\n")


def test_message_takes_the_place_of_the_bar_which_comes_back_below(
    terminal, clock, model, tmp_path
):
    path = str(tmp_path / "m.onnx")
    saver = ModelCheckpoint(path, verbose=1)
    saver.set_model(model)
    run(terminal, clock, {"verbose": 1, "epochs": 1, "steps": 4}, others=[saver])
    assert screen(terminal) == [
        f"Epoch 1: saving model to {path}",
        f"4/4 {DONE} 0s 10ms/step - {METRICS}",
        "",
    ]


def test_close_ends_a_bar_that_was_left_open(terminal, clock):
    callbacks = CallbackList(
        [ProgbarLogger(clock=clock)], params={"verbose": 1, "steps": 4}, console=terminal
    )
    callbacks.on_epoch_begin(0)
    callbacks._batch_done("train", 0, dict)
    assert not text(terminal).endswith("\n")
    callbacks.close()
    assert text(terminal).endswith("\n")
    length = len(text(terminal))
    callbacks.close()
    assert len(text(terminal)) == length


def test_unknown_number_of_steps_counts_up_and_is_known_in_the_end(terminal, clock):
    run(
        terminal,
        clock,
        {"verbose": 1, "epochs": 1, "steps": None},
        step_seconds=2.0,
        validation=False,
    )
    drawn = [part.rstrip() for part in text(terminal).split("\r")]
    assert drawn[2] == "      2/Unknown 4s 2s/step - accuracy: 0.5000 - loss: 2.0000"
    assert drawn[-1] == f"4/4 {DONE} 8s 2s/step - accuracy: 0.2250 - loss: 1.2805"


def evaluate(console, clock, verbose, seconds, mode="test"):
    callbacks = CallbackList(
        [ProgbarLogger(clock=clock)], params={"verbose": verbose, "steps": 2}, console=console
    )
    begin, end = getattr(callbacks, f"on_{mode}_begin"), getattr(callbacks, f"on_{mode}_end")
    begin()
    for batch in range(2):
        clock.now += seconds / 2
        callbacks._batch_done(mode, batch, lambda: {"loss": 0.5})
    end({"loss": 0.25} if mode == "test" else None)


def test_short_evaluation_and_prediction_are_silent_with_auto(plain, terminal, clock):
    for console in (plain, terminal):
        for mode in ("test", "predict"):
            evaluate(console, clock, "auto", 1.9, mode)
        assert text(console) == ""


def test_long_evaluation_and_prediction_show_their_progress(plain, terminal, clock):
    evaluate(plain, clock, "auto", 4.0)
    evaluate(plain, clock, "auto", 4.0, "predict")
    assert text(plain) == "2/2 - 4s - 2s/step - loss: 0.2500\n2/2 - 4s - 2s/step\n"
    evaluate(terminal, clock, "auto", 4.0)
    assert screen(terminal) == [f"2/2 {DONE} 4s 2s/step - loss: 0.2500", ""]


def test_asked_for_evaluation_is_shown_however_short(plain, clock):
    evaluate(plain, clock, 1, 0.002)
    evaluate(plain, clock, 2, 0.00002, "predict")
    assert text(plain) == f"2/2 {DONE} 0s 1ms/step - loss: 0.2500\n2/2 - 0s - 10us/step\n"


def test_stream_that_cannot_encode_the_bar_gets_a_plain_one(clock):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    bar = Progbar(2, console=Console(file=stream, width=80), clock=clock)
    bar.update(2, [("loss", 1.0)])
    stream.flush()
    assert stream.buffer.getvalue().decode().startswith(f"2/2 {'-' * 20} 0s 0s/step - loss: 1.0000")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(1.0, "9s"), (10.0, "1:30"), (500.0, "1:15:00"), (0.0, "0s")]
)
def test_time_to_go_is_in_seconds_minutes_or_hours(terminal, clock, seconds, shown):
    bar = Progbar(10, console=terminal, clock=clock)
    clock.now += seconds
    bar.update(1)
    assert f" {shown} " in text(terminal)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.26, "0.2600"),
        (-3.5, "-3.5000"),
        (0.001, "1.0000e-03"),
        (0.0, "0.0000e+00"),
        (float("nan"), "nan"),
        ("text", "text"),
    ],
)
def test_small_values_are_shown_with_an_exponent(plain, clock, value, shown):
    Progbar(1, console=plain, clock=clock).update(1, [("m", value)])
    assert text(plain).endswith(f" - m: {shown}\n")


def test_first_step_does_not_count_in_the_time_per_step(plain, clock):
    bar = Progbar(3, verbose=2, console=plain, clock=clock)
    clock.now += 10
    bar.update(1)
    for step in (2, 3):
        clock.now += 0.5
        bar.update(step)
    assert text(plain) == "3/3 - 11s - 500ms/step\n"


def test_progbar_averages_values_over_steps_except_stateful_ones(plain, clock):
    bar = Progbar(4, verbose=2, stateful_metrics=["rate"], console=plain, clock=clock)
    bar.update(1, [("loss", 1.0), ("rate", 1.0)])
    bar.add(3, [("loss", 3.0), ("rate", 0.5)])
    assert text(plain) == "4/4 - 0s - 0s/step - loss: 2.5000 - rate: 0.5000\n"
    bar.update(4)
    assert len(text(plain).splitlines()) == 1


def test_progbar_of_unknown_length_ends_when_told(plain, clock):
    bar = Progbar(None, unit_name="file", console=plain, clock=clock)
    bar.update(7)
    assert text(plain) == ""
    clock.now += 14
    bar.update(7, finalize=True)
    assert text(plain) == f"7/7 {DONE} 14s 2s/file\n"


def test_progbar_writes_to_standard_output_by_default(capsys):
    Progbar(1, verbose=2, clock=lambda: 0.0).update(1)
    assert capsys.readouterr().out == "1/1 - 0s - 0s/step\n"
