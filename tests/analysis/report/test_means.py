"""The page in a real browser: seeds of a setting look alike, are averaged on request; curves carry their names."""

import itertools
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.analysis.report.browser import CHROMIUM, Browser, Tab
from tests.analysis.report.runs import loss_at, make_run
from tinystories_lm.analysis.report.build import write_report
from tinystories_lm.analysis.report.read_runs import Reader
from tinystories_lm.runs.status import Status

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")

MODELS = {"gpt_2m": (-0.2, -0.21, -0.25), "gpt_700k": (0.0, 0.1, 0.4)}  # by how much the loss of each seed is shifted
ROWS = (
    "[...document.querySelectorAll('#runs tr.run')]"
    ".map((row) => [...row.children].map((cell) => cell.innerText.trim()))"
)
LINES = "[...document.querySelectorAll('#curve path.curve:not(.thin)')]"
STYLES = f"{LINES}.map((line) => [line.style.getPropertyValue('--colour'), line.getAttribute('stroke-dasharray')])"
NAMES = "[...document.querySelectorAll('#curve .name text')].map((text) => text.textContent)"
DIFFERING = "[...document.querySelectorAll('#differences .setting')].map((cell) => cell.textContent)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of a sweep of two models with three seeds, and of a single run."""
    work = tmp_path_factory.mktemp("work")
    for model, shifts in MODELS.items():
        for seed, shift in enumerate(shifts):
            settings = (f"model={model}", f"training.seed={seed}")
            folder = work / "outputs" / "sweeps" / "sizes" / f"{9 - seed}{model}"
            make_run(folder, *settings, typed=settings, shift=shift, steps=400)
    make_run(work / "outputs" / "smoke" / "2026-11-27_10-11-12_e7fc9be7", "model=tiny", typed=["model=tiny"], shift=1.0)
    write_report([str(work / "outputs")], work / "page.html", reader=Reader())
    return work / "page.html"


@pytest.fixture
def tab(browser: Browser, page: Path) -> Iterator[Tab]:
    tab = Tab(browser)
    tab.open(page)
    yield tab
    assert tab.complaints() == []
    tab.close()


def test_rows_follow_their_labels_and_the_loss_stands_beside_the_name(tab: Tab) -> None:
    names = [row[0] for row in tab.ask(ROWS)]
    assert [name for name in names if "=" in name] == [
        f"model={model} seed={seed}" for model in MODELS for seed in range(3)
    ]
    assert tab.ask("document.querySelector('#runs thead th:nth-child(2)').innerText") == "val loss"
    assert [row[1] for row in tab.ask(ROWS)].count(f"{loss_at(400) + 0.1:.4f}") == 1
    assert "1 min 41 s" in str(tab.ask(ROWS)), "400 steps of a quarter of a second, and one to start"


def test_seeds_have_their_setting_s_colour_and_dashes_of_their_own(tab: Tab) -> None:
    styles = [tuple(style) for style in tab.ask(STYLES)]
    assert len(set(styles)) == 7
    of_colours = [[dash for colour, dash in styles if colour == one] for one in {colour for colour, _ in styles}]
    assert sorted(len(dashes) for dashes in of_colours) == [1, 3, 3]


def test_the_switch_averages_curves_and_table_over_the_seeds(tab: Tab) -> None:
    assert tab.ask("document.querySelector('#means').checked") is False
    assert tab.ask("document.querySelectorAll('#curve path.band').length") == 0
    tab.ask("document.querySelector('#means').focus()")
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key=" ", code="Space", windowsVirtualKeyCode=32, text=" ")
    tab.settle()
    assert tab.ask(f"{LINES}.length") == 3
    assert tab.ask("document.querySelectorAll('#curve path.band:not(.thin)').length") == 2
    found = {row[0]: row[1:3] for row in tab.ask(ROWS)}
    for model, shifts in MODELS.items():
        losses = [loss_at(400) + shift for shift in shifts]
        assert found[f"model={model}"] == [f"{statistics.fmean(losses):.4f} ± {statistics.stdev(losses):.4f}", "3"]
    assert "mean" not in tab.ask("location.href") and "training.seed" not in tab.ask(DIFFERING)
    tab.click("#means")
    assert tab.ask(f"{LINES}.length") == 7 and len(tab.ask(ROWS)) == 7


def test_the_band_reaches_from_mean_plus_to_mean_minus_deviation(tab: Tab) -> None:
    tab.click("#means")
    tab.click("#logy")
    ticks = tab.ask(
        "[...document.querySelectorAll('#curve text')].filter((text) => /^[0-9.]+$/.test(text.textContent) &&"
        " text.getAttribute('text-anchor') === 'end')"
        ".map((text) => [Number(text.textContent), Number(text.getAttribute('y'))])"
    )
    (low, low_place), (high, high_place) = ticks[0], ticks[-1]
    bands = tab.ask("[...document.querySelectorAll('#curve path.band:not(.thin)')].map((one) => one.getAttribute('d'))")
    heights = {}
    for band in bands:
        points = [tuple(map(float, point.split())) for point in band.strip("Mz").split("L")]
        right = max(x for x, _ in points)
        ends = [low + (y + 4 - low_place) / (high_place - low_place) * (high - low) for x, y in points if x == right]
        heights[round(statistics.fmean(ends), 1)] = (max(ends) - min(ends)) / 2
    for shifts in MODELS.values():
        mean = loss_at(400) + statistics.fmean(shifts)
        assert heights[round(mean, 1)] == pytest.approx(statistics.stdev(shifts), abs=0.03)


def test_a_setting_is_switched_off_with_its_seeds(tab: Tab) -> None:
    tab.click("#means")
    tab.click("#runs tbody:has([title$='sweeps/sizes']) tr.run input")
    assert tab.ask(f"{LINES}.length") == 2
    tab.click("#means")
    assert tab.ask(f"{LINES}.length") == 4


def test_pages_without_seeds_have_no_switch(browser: Browser, tmp_path: Path) -> None:
    for name in ("gpt_700k", "gpt_2m"):
        make_run(tmp_path / "sweeps" / "sizes" / name, f"model={name}", typed=[f"model={name}"], steps=50)
    write_report([str(tmp_path / "sweeps")], tmp_path / "page.html", reader=Reader())
    tab = Tab(browser)
    tab.open(tmp_path / "page.html")
    assert tab.ask("document.querySelector('#means')") is None and tab.complaints() == []
    tab.close()


def boxes(tab: Tab, selector: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tab.ask(
        f"[...document.querySelectorAll('{selector}')].map((one) => one.getBoundingClientRect().toJSON())"
    )
    return found


@pytest.mark.parametrize("width", [390, 1280])
def test_curves_are_named_at_their_ends_and_no_name_is_over_another(width: int, browser: Browser, page: Path) -> None:
    tab = Tab(browser, width=width)
    tab.open(page)
    names = tab.ask(NAMES)
    assert len(names) == 3 and len(set(names)) == 3
    assert "smoke" in names and all(any(model in name for name in names) for model in MODELS)
    assert any("model=" in name for name in names) is (width > 600), "only values where there is little room"
    names_boxes = sorted(boxes(tab, "#curve .name text"), key=lambda box: box["y"])
    for above, below in itertools.pairwise(names_boxes):
        assert above["bottom"] <= below["top"] + 2
    (plot,) = boxes(tab, "#curve")
    assert all(plot["left"] < box["left"] and box["right"] <= plot["right"] for box in names_boxes)
    assert all(box["left"] >= max(line["right"] for line in boxes(tab, "#curve path.curve")) for box in names_boxes)
    tab.close()


def test_the_axis_title_stands_above_the_grid(tab: Tab) -> None:
    title = tab.ask(
        "[...document.querySelectorAll('#curve text')].find((text) => text.textContent === 'nats per token')"
        ".getBoundingClientRect().bottom"
    )
    lines = "[...document.querySelectorAll('#curve .grid')].map((line) => line.getBoundingClientRect().top)"
    assert title < min(tab.ask(lines))


def test_a_choice_stands_for_the_settings_that_it_explains(tab: Tab) -> None:
    assert tab.ask(DIFFERING) == ["model", "training.seed"]
    tab.click("#single")
    assert {"model", "model.d_model", "model.d_ff", "training.seed"} < set(tab.ask(DIFFERING))


def test_a_phone_shows_the_loss_and_hears_of_no_keys(browser: Browser, page: Path) -> None:
    tab = Tab(browser, width=390, height=844)
    tab.call("Emulation.setTouchEmulationEnabled", enabled=True)
    tab.open(page)
    assert all(box["right"] <= 390 for box in boxes(tab, "#runs tr.run td:nth-child(2)"))
    assert "arrow keys" not in tab.ask("document.body.innerText")
    assert "arrow keys" not in tab.ask("document.querySelector('#curve svg').getAttribute('aria-label')")
    assert "Drag sideways" in tab.ask("document.body.innerText")
    tab.close()
    desk = Tab(browser)
    desk.open(page)
    assert "arrow keys" in desk.ask("document.body.innerText")
    desk.close()


def test_a_page_that_reloads_itself_keeps_the_switch_and_one_that_is_opened_does_not(
    browser: Browser, tmp_path: Path
) -> None:
    for seed in (0, 1):
        make_run(tmp_path / "runs" / str(seed), f"training.seed={seed}", steps=50)
    write_report([str(tmp_path / "runs")], tmp_path / "page.html", reader=Reader(), reload_seconds=1)
    tab = Tab(browser)
    tab.open(tmp_path / "page.html")
    tab.click("#means")
    make_run(tmp_path / "runs" / "2", "training.seed=2", steps=50)
    write_report([str(tmp_path / "runs")], tmp_path / "page.html", reader=Reader(), reload_seconds=1)
    tab.wait(lambda: bool(tab.ask("document.title.startsWith('3 runs') && document.readyState === 'complete'")))
    assert tab.ask("document.querySelector('#means').checked") is True and tab.ask(f"{LINES}.length") == 1
    tab.close()
    other = Tab(browser)
    other.open(tmp_path / "page.html")
    assert other.ask("document.querySelector('#means').checked") is False and other.complaints() == []
    other.close()


def test_a_seed_that_failed_is_counted_but_not_averaged(browser: Browser, tmp_path: Path) -> None:
    for seed, shift in enumerate((0.0, 0.2, 5.0)):
        status = Status.FAILED if seed == 2 else Status.DONE
        make_run(tmp_path / "runs" / str(seed), f"training.seed={seed}", steps=50, shift=shift, status=status)
    write_report([str(tmp_path / "runs")], tmp_path / "page.html", reader=Reader())
    tab = Tab(browser)
    tab.open(tmp_path / "page.html")
    tab.click("#means")
    ((_, loss, seeds, _, _, status, *_),) = tab.ask(ROWS)
    assert loss == f"{loss_at(50) + 0.1:.4f} ± {statistics.stdev((0.0, 0.2)):.4f}"
    assert seeds == "2 of 3" and status.split() == ["2", "done", "1", "failed"]
    tab.close()


def test_more_settings_than_colours_differ_in_the_shape_of_their_points(browser: Browser, tmp_path: Path) -> None:
    rates = [f"optimizer.lr={number / 10_000}" for number in range(1, 21)]
    for rate in rates:
        make_run(tmp_path / "sweeps" / "rates" / rate, rate, typed=[rate], steps=50)
    write_report([str(tmp_path / "sweeps")], tmp_path / "page.html", reader=Reader())
    tab = Tab(browser)
    tab.open(tmp_path / "page.html")
    drawn = tab.ask(
        "[...document.querySelectorAll('#runs .swatch')].map((one) => one.lastChild)"
        ".map((mark) => [mark.style.cssText, mark.getAttribute('d')])"
    )
    assert len({tuple(one) for one in drawn}) == len(rates) and len({colour for colour, _ in drawn}) == 8
    assert len(tab.ask(NAMES)) == len(rates)
    places = sorted(box["y"] for box in boxes(tab, "#curve .name text"))
    assert min(below - above for above, below in itertools.pairwise(places)) > 12, "all curves end in one point"
    tab.close()
