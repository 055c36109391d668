"""The page in a real browser: it opens silently, and every switch does what its label promises."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.analysis.report.browser import CHROMIUM, Browser, Tab
from tests.analysis.report.runs import composed, make_run, rows_of
from tinystories_lm.analysis.report.build import write_report
from tinystories_lm.analysis.report.read_runs import Reader
from tinystories_lm.config.schema import Config
from tinystories_lm.runs import tolerant_reader
from tinystories_lm.runs.folder import RunFolder
from tinystories_lm.runs.status import Status, write_status
from tinystories_lm.system.json_files import to_json, write_json
from tinystories_lm.system.locks import lock

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> & <b>bold</b>"
CURVES = "document.querySelectorAll('#curve path.curve').length"
ROWS = "[...document.querySelectorAll('#runs tr.run')].filter((row) => row.checkVisibility())"
TICKS = "[...document.querySelectorAll('#curve text')].map((text) => text.textContent)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of a sweep, a round, an imported model, and running, failed and broken runs."""
    work = tmp_path_factory.mktemp("work")
    outputs = work / "outputs"
    for seed, lr in itertools.product((0, 1), (0.001, 0.003)):
        settings = (f"optimizer.lr={lr}", f"training.seed={seed}")
        verdict = {"name": "undertrained", "because": ["it still fell"], "next": ["go on"]}
        make_run(outputs / "sweeps" / "rates" / f"{seed}{lr}", *settings, typed=settings, verdict=verdict)
    make_run(outputs / "round2" / "scaled", "name=round2", steps=400)
    make_run(outputs / "smoke" / "hostile", status=Status.FAILED, reason=HOSTILE, text=HOSTILE)
    held = make_run(outputs / "smoke" / "held", status=Status.RUNNING, steps=100)
    broken = make_run(outputs / "smoke" / "broken")
    for file in broken.path.glob("*.*"):
        file.write_bytes(b'{"progress/step": \xff\n{]\n')
    imported = make_run(outputs / "imported" / "llama")
    imported.metrics.unlink()
    write_json(imported.summary, {"imported_from": "llama", "parameters": 100_000_000, "stories": []})
    with lock(held.lock, wait=False):
        write_report([str(outputs)], work / "page.html", reader=Reader())
    return work / "page.html"


@pytest.fixture
def tab(browser: Browser, page: Path) -> Iterator[Tab]:
    tab = Tab(browser)
    tab.open(page)
    yield tab
    assert tab.complaints() == []
    assert all(url.startswith(("file://", "data:")) for url in tab.requests())
    tab.close()


def test_all_runs_are_there_with_what_became_of_them(tab: Tab) -> None:
    said = tab.ask("document.querySelector('#states').innerText")
    for state in ("5 done", "1 running", "1 failed", "1 imported", "1 unknown"):
        assert state in said
    assert tab.ask(f"{ROWS}.length") == 9
    assert tab.ask(CURVES) == 14  # validation and training loss of the seven runs with rows
    assert "config.yaml cannot be read" in tab.ask("document.querySelector('#runs').textContent")
    assert "undertrained" in tab.ask("document.querySelector('#runs').innerText")


def test_a_story_with_a_script_is_shown_and_not_run(tab: Tab) -> None:
    assert tab.ask("document.title") != "owned"
    assert HOSTILE in tab.ask("document.querySelector('#samples').textContent")
    assert HOSTILE in tab.ask("document.querySelector('#runs').textContent")
    assert tab.ask("document.querySelectorAll('main img, main script, main b:not(.group b)').length") == 0


def test_the_axis_switch_changes_the_chart(tab: Tab) -> None:
    before = tab.ask("document.querySelector('#curve path.curve').getAttribute('d')")
    tab.click("label:has([value='time/train_seconds'])")
    ticks = tab.ask(TICKS)
    assert "time" in ticks and any(tick.endswith(" min") for tick in ticks)
    assert tab.ask("document.querySelector('#curve path.curve').getAttribute('d')") != before
    tab.click("label:has([value='cost/usd'])")
    assert any(tick.startswith("$") for tick in tab.ask(TICKS))
    tab.click("label:has([value='progress/tokens'])")
    assert any(tick.endswith("k") for tick in tab.ask(TICKS))


def test_the_metric_switch_and_the_log_axes(tab: Tab) -> None:
    linear = "document.querySelector('#curve path.curve').getAttribute('d')"
    tab.ask("(() => { const one = document.querySelector('select'); one.value = 'val/perplexity';"
            " one.dispatchEvent(new Event('change')); })()")  # fmt: skip
    assert "validation perplexity" in tab.ask(TICKS)
    assert tab.ask(CURVES) == 7
    drawn = tab.ask(linear)
    tab.click("#logy")
    assert tab.ask("document.querySelector('#logy').checked") is False and tab.ask(linear) != drawn
    drawn = tab.ask(linear)
    tab.click("#logx")
    assert tab.ask(linear) != drawn


def place_of(tab: Tab, step: float) -> float:
    """Where a step stands on the linear x axis, by the page's own ticks."""
    first, second = tab.ask(
        "[...document.querySelectorAll('#curve text')].filter((text) => /^[0-9]+$/.test(text.textContent)"
        " && text.getAttribute('text-anchor') === 'middle').slice(0, 2)"
        ".map((text) => [Number(text.textContent), Number(text.getAttribute('x'))])"
    )
    return first[1] + (step - first[0]) / (second[0] - first[0]) * (second[1] - first[1])


def test_dragging_zooms_and_a_double_click_shows_all(tab: Tab) -> None:
    tab.click("#published")
    assert tab.ask("document.querySelector('#logx').checked") is False  # without the far published points
    whole = tab.ask(TICKS)
    per_step = place_of(tab, 1) - place_of(tab, 0)
    tab.drag("#curve svg", (0.5, 0.5), (0.75, 0.52))
    assert tab.ask("location.hash").count("zoom=") == 1
    assert (place_of(tab, 1) - place_of(tab, 0)) / per_step == pytest.approx(4, rel=0.15)  # a quarter of it, drawn wide
    assert tab.ask("document.querySelector('#whole').checkVisibility()")
    tab.click("#curve svg", times=2)
    assert tab.ask(TICKS) == whole and "zoom" not in tab.ask("location.hash")


def test_pointing_at_a_curve_names_its_run(tab: Tab) -> None:
    x, y = tab.ask(
        "(() => { document.querySelector('#curve').scrollIntoView({block: 'center'}); const box ="
        " document.querySelector('#curve path.dot').getBoundingClientRect(); return [box.x + 2, box.y + 2]; })()"
    )
    tab.mouse("mouseMoved", x, y)
    tab.settle()
    said = tab.ask("document.querySelector('#curve .tip').innerText")
    assert "validation loss" in said and "step" in said and "·" in said
    assert tab.ask("document.querySelectorAll('#runs tr.lit').length") == 1


def test_arrow_keys_do_what_the_mouse_does(tab: Tab) -> None:
    tab.ask("document.querySelector('#curve svg').focus()")
    tab.key("ArrowRight")
    first = tab.ask("document.querySelector('#curve .tip').innerText")
    tab.key("ArrowRight")
    assert tab.ask("document.querySelector('#curve .tip').innerText") != first
    tab.key("+")
    assert "zoom=" in tab.ask("location.hash")
    tab.key("Escape")
    assert "zoom=" not in tab.ask("location.hash")


def test_runs_are_switched_off_and_filtered(tab: Tab) -> None:
    tab.click("#runs tbody:has([title$='sweeps/rates']) tr.run input")
    assert tab.ask(CURVES) == 12
    tab.click("#all")
    assert tab.ask(CURVES) == 14
    tab.ask("(() => { const one = document.querySelector('[type=search]'); one.value = 'rates lr=0.003';"
            " one.dispatchEvent(new Event('input')); })()")  # fmt: skip
    assert tab.ask(f"{ROWS}.length") == 2 and tab.ask(CURVES) == 4
    assert tab.ask("document.querySelector('#differences').innerText").count("training.seed") == 1
    assert "optimizer.lr" not in tab.ask("document.querySelector('#differences').innerText")
    assert tab.ask("document.querySelectorAll('#samples article').length") == 2


def test_a_click_on_a_head_sorts_within_the_groups(tab: Tab) -> None:
    tab.click("#runs thead th:nth-child(8) button")
    tokens = "[...document.querySelectorAll('#runs tbody')].map((body) => [...body.querySelectorAll('tr.run')].map("
    tokens += "(row) => row.children[7].textContent))"
    head = "document.querySelector('#runs thead th:nth-child(8)').getAttribute('aria-sort')"
    assert tab.ask(head) == "ascending"
    groups = tab.ask(tokens)
    assert groups[0][0] == "102k" and groups[-1] == ["–"] and [len(group) for group in groups] == [3, 4, 1, 1]
    tab.click("#runs thead th:nth-child(8) button")
    assert tab.ask(head) == "descending" and tab.ask(tokens)[0] == ["410k"]


def test_published_points_can_be_switched_off(tab: Tab) -> None:
    points = "document.querySelectorAll('#curve path.published').length"
    assert tab.ask(points) == 3  # of the four that at step 0 has no place on the log axis
    tab.click("#published")
    assert tab.ask(points) == 0


@pytest.mark.parametrize("width", [320, 375, 1200])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_its_window(width: int, dark: bool, browser: Browser, page: Path) -> None:
    tab = Tab(browser, width=width, height=640, dark=dark)
    tab.open(page)
    assert tab.ask("document.documentElement.scrollWidth") == width
    assert tab.ask(CURVES) == 14
    ink, ground = tab.ask(
        "['color', 'backgroundColor'].map((name) => Math.max(...getComputedStyle(document.body)[name].match(/\\d+/g)))"
    )
    assert (ink > 200) is dark and (ground < 60) is dark
    assert tab.complaints() == []
    tab.close()


def test_a_page_that_is_watched_loads_itself_anew_and_keeps_the_choice(browser: Browser, tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "one", steps=50)
    write_report([str(tmp_path / "runs")], tmp_path / "page.html", reader=Reader(), reload_seconds=1)
    tab = Tab(browser)
    tab.open(tmp_path / "page.html")
    tab.click("label:has([value='time/train_seconds'])")
    make_run(tmp_path / "runs" / "two", steps=50)
    write_report([str(tmp_path / "runs")], tmp_path / "page.html", reader=Reader(), reload_seconds=1)
    tab.wait(lambda: bool(tab.ask(f"document.readyState === 'complete' && {ROWS}.length === 2")))
    assert "time" in tab.ask(TICKS)
    assert tab.complaints() == []
    tab.close()


def test_two_hundred_runs(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the reading of their configs, which would take longer than all the rest."""

    def config_of(run: RunFolder) -> Config:
        base = composed()
        return replace(base, training=replace(base.training, seed=int(run.path.name)))

    monkeypatch.setattr(tolerant_reader, "read_config", config_of)
    rows = "".join(to_json(row) + "\n" for row in rows_of(4000, every=8, evaluate=80))
    for seed in range(200):
        run = RunFolder(tmp_path / "outputs" / "sweeps" / "seeds" / f"{seed:03d}")
        run.path.mkdir(parents=True)
        run.config.touch()
        run.metrics.write_text(rows)
        write_status(run, Status.DONE, reason="", step=4000)
        write_json(run.summary, {"val/loss": 2.0 + seed / 1000})
    write_report([str(tmp_path / "outputs")], tmp_path / "page.html", reader=Reader())
    assert (tmp_path / "page.html").stat().st_size < 4_000_000
    tab = Tab(browser)
    tab.open(tmp_path / "page.html")
    assert tab.ask(f"{ROWS}.length") == 200 and tab.ask(CURVES) == 200
    assert "training.seed" in tab.ask("document.querySelector('#differences').innerText")
    tab.click("#none")
    assert tab.ask(CURVES) == 0 and "no shown run" in tab.ask("document.querySelector('#curve').textContent")
    assert tab.complaints() == []
    tab.close()
