import re
from pathlib import Path

import pytest
from specs import UNTRAINED

from ablation.catalogue.architectures import CATALOGUE, FAMILIES
from ablation.catalogue.entry import INEFFECTIVE
from ablation.catalogue.factors import FACTORS
from ablation.report import factorpage
from ablation.study.schema import Recipe

PAGE = Path(__file__).parents[2] / "docs/factors.md"
EVERY_LEVEL = [(factor, level) for factor, entry in FACTORS.items() for level in entry.levels]


@pytest.fixture(scope="module")
def page():
    return factorpage.page()


def test_the_committed_page_is_the_one_of_the_code(page):
    assert PAGE.read_text(encoding="utf-8") == page, "run ./do factors"


def test_everything_that_a_study_may_name_is_there(page):
    for name, entry in CATALOGUE.items():
        section = page.partition(f"#### {name}\n")[2].partition("\n#")[0]
        assert all(f"| `{argument}` |" in section for argument in entry.arguments)
    assert all(f"| `{level}` | " in page for _, level in EVERY_LEVEL)
    assert all(f"| `{entry}` | " in page for entry in Recipe.model_fields)


def test_each_reason_is_said_once():
    matrix = factorpage.matrix()
    reasons = {reason for entry in CATALOGUE.values() for reason in entry.lacks.values()}
    assert all(matrix.count(f". {reason}\n") == 1 for reason in reasons)
    numbered = dict(re.findall(r"^(\d+)\. (.*)$", matrix, re.MULTILINE))
    row = next(line for line in matrix.splitlines() if line.startswith("| [resnet](#resnet)")).split(" | ")
    placement = [factor for factor in FACTORS if factor not in factorpage.shared_levels()].index("norm_placement")
    assert numbered[re.search(r"\d+", row[placement + 1])[0]] == CATALOGUE["resnet"].lacks["norm_placement"]


def test_links_lead_somewhere(page):
    headings = {line.lstrip("# ") for line in page.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\(#(\w+)\)", page)) <= headings
    assert all((PAGE.parent / path).is_file() for path in re.findall(r"\]\((\.\./[^)]*)\)", page))


def test_tables_are_whole(page):
    for block in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({len(re.findall(r"(?:^| )\|(?= |$)", line)) for line in block.splitlines()}) == 1


@pytest.mark.parametrize(("factor", "level"), UNTRAINED)
def test_a_level_that_does_not_learn_is_called_a_mistake(factor, level):
    assert f"**{factorpage.MISTAKE}**" in factorpage.describe_level(FACTORS[factor].levels[level])


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_is_refused_is_written_down(page, name):
    entry = CATALOGUE[name]
    section = page.partition(f"#### {name}\n")[2].partition("\n#")[0]
    for rule in entry.rules:
        assert f"\n- {rule.text}\n" in section + "\n"
        assert rule.text.split("`")[1] in entry.references
    for share in {"dropout", "compression"} & set(entry.arguments):
        assert f"- `{share}` is " in section
        assert entry.refuse({**entry.references, share: 1.1})


def test_every_factor_without_effect_is_written_down(page):
    section = page.partition("## What would change nothing\n")[2].partition("\n## ")[0]
    for row in (*INEFFECTIVE, *(row for entry in CATALOGUE.values() for row in entry.no_effect)):
        line = next(line for line in section.splitlines() if line.startswith(f"- `{row.factor}`, if "))
        assert f"if {row.reason}" in line


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_has_links_to_both_of_its_files(page, name):
    for room in ("catalogue", "networks"):
        assert f"(../src/ablation/{room}/families/{name}.py)" in page
