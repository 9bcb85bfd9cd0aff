"""Figures and report from the files of a study."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from invented import MANIFEST, invented_tables

from ablation.analysis.outcomes import outcomes_text
from ablation.cli.entry import run
from ablation.networks.layertable import to_record
from ablation.report.figures.table import figures_of
from ablation.study.studyfile import read_study

ROOT = Path(__file__).parents[2]


class References(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        names = ("src", "href", "xlink:href")
        self.found += [value for name, value in attributes if name in names and not value.startswith("#")]


@pytest.fixture
def files(tmp_path):
    """The arguments that name the files of a study, which lie in a temporary folder."""
    tables = invented_tables(read_study(ROOT / "config/studies/miniature.yaml"))
    (tmp_path / "study.json").write_text(tables.plan.frozen())
    for name in ("runs", "curves", "diagnostics", "classes"):
        getattr(tables, name).to_parquet(tmp_path / f"{name}.parquet")
    layers = [{"variant": id, **to_record(layer)} for id, table in tables.layers.items() for layer in table]
    for name, table in {
        "contrasts": tables.contrasts,
        "comparison": tables.comparison,
        "layers": pd.DataFrame(layers),
    }.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "verdicts.json").write_text(outcomes_text(tables.verdicts))
    return [word for path in tmp_path.iterdir() for word in (f"--{path.stem}", str(path))]


def test_the_report_is_one_page_that_needs_no_other_file(files, tmp_path):
    run(["figures", *files, "--folder", str(tmp_path)])
    names = figures_of(read_study(ROOT / "config/studies/miniature.yaml"))
    for name in names:
        assert (tmp_path / f"{name}.png").stat().st_size
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    written = ["--manifest", tmp_path / "manifest.json", "--figures", tmp_path, "--report", tmp_path / "report.html"]
    run(["report", *files, *map(str, written)])
    page = References()
    page.feed((tmp_path / "report.html").read_text())
    assert not page.found
    assert page.tags.count("figure") == len(names)
