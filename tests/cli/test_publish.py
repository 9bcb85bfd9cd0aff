"""The verb that writes the pages of studies."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from invented import MANIFEST, invented_runs, invented_tables
from verdicts import a_claim, a_test, verdicts_of

from ablation.analysis.outcomes import outcomes_text
from ablation.cli.entry import run
from ablation.jobs.shards import planned_runs
from ablation.networks.layertable import to_record
from ablation.report.studypages import markdown
from ablation.study.studyfile import read_study

ROOT = Path(__file__).parents[2]
STUDY = Path("config/studies/miniature.yaml")
SVG = "<svg>effects</svg>"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of a study that nobody trained, as files."""
    folder = tmp_path_factory.mktemp("results") / "miniature"
    plan = read_study(ROOT / STUDY)
    keys = {(run.variant, run.seed): run.key for run in planned_runs(plan, MANIFEST["digest"])}
    runs = invented_runs(plan)
    runs = runs[runs["seed"].isin(plan.study.seeds)]
    runs = runs.assign(key=[keys[run.variant, run.seed] for run in runs.itertuples()])
    tables = invented_tables(plan, runs=runs)
    for name in ("plan", "tables", "figures"):
        (folder / name).mkdir(parents=True)
    (folder / "plan/miniature.json").write_text(plan.frozen())
    for name in ("runs", "curves", "diagnostics", "classes"):
        getattr(tables, name).to_parquet(folder / f"{name}.parquet")
    layers = [{"variant": id, **to_record(layer)} for id, table in tables.layers.items() for layer in table]
    pd.DataFrame(layers).to_csv(folder / "plan/layers.csv", index=False)
    tables.contrasts.to_csv(folder / "contrasts.csv", index=False)
    tables.comparison.to_csv(folder / "tables/comparison.csv", index=False)
    (folder / "data.json").write_text(json.dumps(MANIFEST))
    (folder / "verdicts.json").write_text(outcomes_text(verdicts_of(a_claim(a_test()))))
    (folder / "figures/effects.svg").write_text(SVG)
    return folder


@pytest.fixture
def checkout(results, tmp_path, monkeypatch):
    """A folder with the study, its results and a README with a place for the table."""
    monkeypatch.chdir(tmp_path)
    STUDY.parent.mkdir(parents=True)
    shutil.copyfile(ROOT / STUDY, STUDY)
    shutil.copytree(results, "results/miniature")
    Path("README.md").write_text(f"before\n\n{markdown.BEGIN}\nold\n{markdown.END}\n\nafter\n")
    return tmp_path


def edit(old, new):
    text = STUDY.read_text()
    assert old in text
    STUDY.write_text(text.replace(old, new))


def content():
    return json.loads(Path("docs/studies/miniature.json").read_text())


def test_a_study_is_published_with_its_figure_the_index_and_the_table(checkout, capsys):
    run(["publish", "miniature"])
    assert capsys.readouterr().out == "docs/studies/miniature.md: 1 supported\n"
    assert {path.name for path in Path("docs/studies").iterdir()} == {
        "README.md", "miniature.json", "miniature.md", "miniature.svg",
    }  # fmt: skip
    page, readme = Path("docs/studies/miniature.md").read_text(), Path("README.md").read_text()
    assert "(miniature.svg)" in page
    assert Path("docs/studies/miniature.svg").read_text() == SVG
    assert "./do study miniature\n" in page
    assert readme.startswith("before\n")
    assert readme.endswith("\nafter\n")
    assert "| [miniature](docs/studies/miniature.md) | " in readme
    assert "\nold\n" not in readme
    assert "| [miniature](miniature.md) | " in Path("docs/studies/README.md").read_text()
    assert "# Costs: 10 runs, 25 s of core time for training and evaluation.\n# Outcome: " in STUDY.read_text()
    again = {path: path.read_bytes() for path in Path("docs/studies").iterdir()}
    run(["publish", "miniature"])
    assert {path: path.read_bytes() for path in Path("docs/studies").iterdir()} == again


def test_results_of_other_code_are_published_only_with_a_word_on_the_page(checkout, capsys):
    edit("epochs: 4", "epochs: 5")
    with pytest.raises(SystemExit) as error:
        run(["publish", "miniature"])
    assert "results/miniature: found results of other code than the present one" in str(error.value)
    assert "5 variants would be trained otherwise" in str(error.value)
    assert not Path("docs").exists()
    run(["publish", "miniature", "--keep"])
    assert "5 variants would be trained otherwise" in content()["kept"]["why"][1]
    assert "> **Out of date.** Made by abc of " in Path("docs/studies/miniature.md").read_text()
    assert "by an older version of the code" in Path("README.md").read_text()


def test_a_page_is_kept_without_results_and_its_mark_goes_with_the_reason(checkout):
    run(["publish", "miniature"])
    first = Path("docs/studies/miniature.md").read_text()
    shutil.rmtree("results")
    edit("in a small LeNet", "in a LeNet")
    run(["publish", "miniature", "--keep"])
    assert content()["kept"]["why"] == ["the study file says something else (title)"]
    assert "**Out of date.**" in Path("docs/studies/miniature.md").read_text()
    assert Path("docs/studies/miniature.svg").exists()
    edit("in a LeNet", "in a small LeNet")
    run(["publish", "miniature", "--keep"])
    assert content()["kept"] is None
    assert Path("docs/studies/miniature.md").read_text() == first


def test_pages_are_written_again_without_results(checkout):
    run(["publish", "miniature"])
    shutil.rmtree("results")
    texts = {path: path.read_text() for path in (STUDY, Path("README.md"), *Path("docs/studies").glob("*.md"))}
    for path in texts:
        path.write_text(path.read_text().replace("supported", "refuted").replace("10 runs", "11 runs"))
    run(["publish"])
    assert {path: path.read_text() for path in texts} == texts


@pytest.mark.parametrize("kept", [True, False])
def test_a_study_without_results_or_page_is_refused(checkout, kept):
    Path("results/miniature/verdicts.json").unlink()
    with pytest.raises(SystemExit) as error:
        run(["publish", "miniature", *["--keep"][: int(kept)]])
    expected = "docs/studies/miniature.json: found no page" if kept else "verdicts.json: found no such file"
    assert expected in str(error.value)
    assert not Path("docs").exists()


def test_of_several_studies_none_is_published_if_one_cannot_be(checkout):
    shutil.copyfile(STUDY, "config/studies/other.yaml")
    with pytest.raises(SystemExit) as error:
        run(["publish", "miniature", "other"])
    assert "results/other/plan/other.json: found no such file" in str(error.value)
    assert not Path("docs").exists()


def test_a_figure_that_is_too_large_gives_way_to_a_smaller_one(checkout):
    figures = Path("results/miniature/figures")
    (figures / "effects.svg").write_text("x" * 200_000)
    (figures / "effects.png").write_text("small")
    run(["publish", "miniature"])
    assert Path("docs/studies/miniature.png").exists()
    assert content()["figure"]["file"] == "miniature.png"
    for path in figures.iterdir():
        path.unlink()
    run(["publish", "miniature"])
    assert not list(Path("docs/studies").glob("*.[sp][vn]g"))
    assert content()["figure"] is None


def test_a_readme_without_its_marks_is_left_alone(checkout, capsys):
    Path("README.md").write_text("mine\n")
    run(["publish", "miniature"])
    assert Path("README.md").read_text() == "mine\n"
    assert "README.md: found no marks for the table of studies" in capsys.readouterr().out
