"""The report in headless Chromium: whoever opens it, on whatever screen, with whatever they operate it."""

import io
import shutil

import pytest
from claimed import STUDY, UNBUILT, invented_verdicts, runs_of
from invented import MANIFEST, failing, invented_runs, invented_tables

from ablation.report.figures.table import draw, figures_of
from ablation.report.page import write_report
from ablation.study.studyfile import read_study

pytestmark = pytest.mark.page
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCHEMES, WIDTHS = ("light", "dark"), (375, 768, 1440)
PAPER = 703  # pixels: A4 between the margins of the page
# What the keyboard must come to: all that can be operated and is not hidden in something closed.
OPERABLE = """[...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")]
  .filter(one => one.checkVisibility() && !one.disabled)"""
OPEN_ALL = "document.querySelectorAll('main details').forEach(one => { one.open = true; })"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


MANY = """\
title: Many
question: Which of many?
data: {name: digits}
recipe: {epochs: 3, batch_size: 64, lr: 0.1}
architectures: {lenet: {}}
grid: [{design: full_factorial, factors: {lr: [0.01, 0.02, 0.05, 0.2], weight_decay: [1, 2, 3, 4, 5, 6, 7, 8, 9]}}]
seeds: 3
claims:
"""
CLAIM = """\
  small-{n}: {{statement: "Small steps, {n}.", source: s, factor: lr, level: 0.01, against: {against},
    given: {{weight_decay: {n}}}, metric: test_accuracy, direction: greater}}
"""


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """A page with a claim of every kind, every section and every figure."""
    path = tmp_path_factory.mktemp("study") / "gallery.yaml"
    path.write_text(STUDY)
    plan = read_study(path)
    runs = failing(runs_of(plan), list(UNBUILT)[:1], [1])
    tables = invented_tables(plan, runs=runs, verdicts=invented_verdicts(plan, runs))
    figures = {}
    for name in figures_of(plan):
        file = io.StringIO()
        draw(name, tables).savefig(file, format="svg")
        figures[name] = file.getvalue()
    path = path.with_name("report.html")
    path.write_text(write_report(tables, MANIFEST, figures), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A page of more variants and claims than can be shown at once."""
    path = tmp_path_factory.mktemp("study") / "many.yaml"
    pairs = [(n, against) for against in (0.02, 0.05, 0.2, 0.1, 0.02) for n in range(1, 10)]
    claims = (
        CLAIM.format(n=n, against=against).replace("small-", f"s{place}-") for place, (n, against) in enumerate(pairs)
    )
    path.write_text(MANY + "".join(claims))
    plan = read_study(path)
    path = path.with_name("report.html")
    path.write_text(write_report(invented_tables(plan, runs=invented_runs(plan)), MANIFEST, {}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    from playwright.sync_api import sync_playwright  # of the dependency group `page`, which other tests do without

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, html):
    """Opens the page; whatever it says on the console or asks for beside itself is an error."""
    contexts, said = [], []

    def opened(width=1440, scheme="light", html=html, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if request.url != html.as_uri() else None)
        page.goto(html.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_is_accessible_and_fits_every_screen_in_light_and_dark(opened, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(width, scheme)
    assert page.evaluate(OVERFLOW) == 0
    page.evaluate(OPEN_ALL)
    assert page.evaluate(OVERFLOW) == 0
    page.add_style_tag(content=".scroll { background: none !important }")  # contrasts are not measured on gradients
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", [375, 1440])
def test_the_keyboard_comes_to_everything_in_its_order_and_shows_where_it_is(opened, width):
    page = opened(width)
    page.evaluate(OPEN_ALL)
    page.evaluate(f"window.operable = {OPERABLE}")
    count = page.evaluate("operable.length")
    assert count > 100
    found, unmarked = [], []
    for _ in range(count):
        page.keyboard.press("Tab")
        found.append(page.evaluate("operable.indexOf(document.activeElement)"))
        if page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "none":
            unmarked.append(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
    assert found == list(range(count))
    assert unmarked == []


def test_the_first_tab_leads_past_the_contents(opened):
    page = opened(375)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_the_claims_stand_on_the_first_screen(opened):
    page = opened(1440)
    for place in (".question", ".answer", ".verdict", ".statement", ".drawing svg"):
        assert page.locator(place).first.bounding_box()["y"] < 900, place


def test_every_link_leads_somewhere_and_opens_what_it_leads_to(opened):
    page = opened(1440)
    links = page.evaluate("[...document.querySelectorAll('a[href]')].map(one => one.getAttribute('href'))")
    assert len(links) > 20
    assert [link for link in links if not page.locator(f"[id='{link[1:]}']").count()] == []
    page.get_by_role("link", name="All numbers of relu-better").click()
    assert page.evaluate("document.getElementById('about-relu-better').open")
    top = page.locator("#about-relu-better").bounding_box()["y"]
    assert 0 <= top < 100


def test_the_contents_can_be_used_on_a_phone(opened):
    page = opened(375)
    contents = page.locator("#contents")
    assert contents.get_attribute("open") is None
    page.mouse.wheel(0, 3000)
    page.wait_for_function("scrollY > 1000")
    page.locator("#contents > summary").click()
    page.locator("#contents").get_by_role("link", name="Failures").click()
    assert contents.get_attribute("open") is None, "the list covers what was asked for"
    heading, bar = page.locator("#failures-title").bounding_box(), page.locator(".contents").bounding_box()
    assert bar["y"] == 0
    assert bar["height"] <= heading["y"] < 300


def test_tables_are_sorted_by_the_keyboard(opened):
    page = opened()
    table = page.locator("#comparison table.sortable").first
    button = table.get_by_role("button", name="variant")
    button.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    names = table.locator("tbody td:first-child").all_text_contents()
    assert names == sorted(names, reverse=True)
    assert table.locator("th").first.get_attribute("aria-sort") == "descending"


def test_many_claims_and_variants_are_searched_and_sorted(opened, many):
    from axe_playwright_python.sync_playwright import Axe

    page = opened(375, html=many)
    page.evaluate(OPEN_ALL)
    assert page.evaluate(OVERFLOW) == 0
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    box = page.locator("#comparison .searchable")
    assert box.locator("tbody tr").count() == 20
    box.get_by_role("button", name="Show more rows").click()
    assert box.locator("tbody tr").count() == 50
    box.get_by_role("searchbox").fill("lr.0.05 weight_decay.7")
    assert box.locator("tbody tr").all_text_contents()[0].startswith("lenet-lr.0.05-weight_decay.7")
    assert box.locator(".found").text_content() == "1 found, 1 shown"
    box.get_by_role("searchbox").fill("")
    box.get_by_role("button", name="variant").click()
    assert box.locator("tbody td:first-child").first.text_content() == "lenet"


def test_it_prints_whole_light_and_within_the_paper(opened):
    page = opened(PAPER, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(OVERFLOW) == 0
    reach = "[...document.querySelectorAll('table, figure svg')].map(one => one.getBoundingClientRect().right)"
    assert max(page.evaluate(reach)) <= PAPER
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    closed = "[...document.querySelectorAll('main details table')].filter(one => !one.checkVisibility())"
    assert page.evaluate(f"{closed}.length") == 0
    assert not page.locator(".contents").is_visible()


def test_it_needs_no_script(opened):
    page = opened(375, java_script_enabled=False)
    assert page.locator(".statement").first.is_visible()
    page.locator("#about-relu-better > summary").click()
    assert page.locator("#about-relu-better table").first.is_visible()
