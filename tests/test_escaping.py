"""Data and settings stay plain text in every file that a browser may open: pictures and model cards."""

import xml.etree.ElementTree as ElementTree

from tests.analysis.report.runs import composed, rows_of
from tinystories_lm.analysis import loss_curve
from tinystories_lm.analysis.scaling import chart
from tinystories_lm.analysis.scaling.law import Law
from tinystories_lm.analysis.scaling.observations import Observation
from tinystories_lm.generation.text import End, Sample
from tinystories_lm.interop.model_card import FENCE, _code, _plain, _samples, _table

HOSTILE = "</text></svg></title><script>alert(1)</script><img src=x onerror='alert(1)'> & \"quoted\""


def tags(svg: str) -> set[str]:
    return {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}


def test_a_title_in_a_picture_is_text() -> None:
    picture = loss_curve.draw(rows_of(100), title=HOSTILE)
    assert tags(picture) <= {"svg", "style", "text", "line", "polyline"}
    assert any(HOSTILE in (text or "") for text in ElementTree.fromstring(picture).itertext())


def test_names_of_runs_in_a_law_s_picture_are_text() -> None:
    law = Law(E=1.5, A=400.0, B=400.0, alpha=0.34, beta=0.28)
    points = [
        Observation(HOSTILE, size, tokens, 6.0 * size * tokens, law.loss(size, tokens), 1.0, 1.0, 0.5, composed())
        for size in (1_000_000, 4_000_000)
        for tokens in (10_000_000, 40_000_000)
    ]
    picture = chart.draw(law, points, title=HOSTILE)
    assert not tags(picture) & {"script", "img"}
    assert sum(HOSTILE in (text or "") for text in ElementTree.fromstring(picture).itertext()) == 1 + len(points)


def test_a_model_card_holds_no_html_and_a_story_cannot_leave_its_block() -> None:
    story = f"Once\n{FENCE}\n{FENCE}~~\n<script>alert(1)</script>"
    block = _samples([Sample(HOSTILE, story, next(iter(End)), {"stop": [HOSTILE]})])
    before, inside, after = block.split(f"\n{FENCE}")[0], block.split(FENCE)[1], block.split(FENCE)[2:]
    assert "<" not in before.partition(FENCE)[0] and "<script>" in inside and after == [""]
    assert "<" not in _plain(HOSTILE) and "\n" not in _plain("a\n# b")
    assert _code("a`<b>`\nc") == "`a <b> c`"
    assert _table([("hardware", "<b>|</b>")]).splitlines()[-1] == "| hardware | &lt;b&gt;\\|&lt;/b&gt; |"


def test_a_loss_beyond_all_bounds_is_still_a_small_picture() -> None:
    """One line for each nat would be a file without end."""
    rows = [{"progress/step": step, "train/loss": loss} for step, loss in ((1, 3.0), (2, 1e12), (3, 4.0))]
    picture = loss_curve.draw(rows, title="exploded")
    assert 2 < picture.count('class="grid"') <= loss_curve.MAX_GRID_LINES + 1
