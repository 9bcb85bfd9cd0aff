"""The environments say the same, and the page of the project says what is there."""

import re
import tomllib
from pathlib import Path

import yaml

from ablation.studyfile import read_study

ROOT = Path(__file__).parents[1]


def locked():
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return {package["name"]: package["version"] for package in packages}


def test_conda_environment_has_the_versions_of_the_lock():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pinned = dict(line.split("==") for line in dependencies[-1]["pip"])
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(pinned) == {re.match(r"[A-Za-z0-9-]+", line)[0] for line in stated}
    assert pinned == {name: locked()[name] for name in pinned}


def test_every_rule_names_the_one_environment():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        text = path.read_text()
        assert len(re.findall(r"^rule ", text, re.MULTILINE)) == text.count('"../../environment.yml"')


def test_the_readme_links_to_files_that_are_there():
    for page in ("README.md", "CONTRIBUTING.md"):
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text())
        assert not [link for link in links if not (ROOT / link).exists()]


def test_the_study_of_the_readme_is_valid(tmp_path):
    text = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    (tmp_path / "readme.yaml").write_text(text)
    plan = read_study(tmp_path / "readme.yaml")
    assert "resnet32-lr.0.005-norm.none" in plan.variants
    assert len(plan.claims) == 2
