"""The layer tables of a study, and what is sealed of them."""

import json

from specs import GOOD

from ablation.cli.entry import run
from ablation.study.studyfile import read_study


def test_the_seal_is_of_the_pages_that_were_written_and_of_no_other_file(tmp_path):
    (tmp_path / "mine.yaml").write_text(GOOD)
    plan = read_study(tmp_path / "mine.yaml")
    (tmp_path / "mine.json").write_text(plan.frozen())
    (tmp_path / "manifest.json").write_text(json.dumps({"shape": [1, 32, 32], "classes": list("0123456789")}))
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/notes.txt").write_text("of the user's own")
    paths = {name: str(tmp_path / name) for name in ("mine.json", "manifest.json", "layers.csv", "pages", "seal.json")}
    words = ["--study", paths["mine.json"], "--manifest", paths["manifest.json"], "--layers", paths["layers.csv"]]
    run(["layers", *words, "--folder", paths["pages"], "--seal", paths["layers.csv"], paths["seal.json"]])
    sealed = json.loads((tmp_path / "seal.json").read_text())["files"]
    assert set(sealed) == {"layers.csv", *(f"pages/{variant}.md" for variant in plan.variants)}
