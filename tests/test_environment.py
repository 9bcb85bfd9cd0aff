"""The environments say the same, and the page of the project says what is there."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from packaging.markers import Marker, default_environment

from ablation.study.studyfile import read_study

ROOT = Path(__file__).parents[1]


def locked(python):
    """Return the version of each package that the lock has for a Python on Linux."""
    versions = default_environment() | {"python_version": python, "python_full_version": f"{python}.9"}
    versions |= {"sys_platform": "linux", "platform_machine": "x86_64"}
    return {
        package["name"]: package["version"]
        for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
        if any(
            Marker(marker).evaluate(versions) for marker in package.get("resolution-markers", ["os_name == 'posix'"])
        )
    }


def test_conda_environment_has_the_versions_that_the_lock_has_for_its_python():
    python, _, packages = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pinned = dict(re.split("={2,3}", line) for line in packages["pip"])
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert set(pinned) == {re.match(r"[A-Za-z0-9-]+", line)[0] for line in stated}
    versions = locked(python.removeprefix("python="))
    assert pinned == {name: versions[name] for name in pinned}


# What Snakemake does not bring with it: the environment that runs it need not have any of these.
HEAVY = [
    "numpy",
    "torch",
    "torchvision",
    "pandas",
    "pyarrow",
    "mlflow",
    "scipy",
    "sklearn",
    "seaborn",
    "matplotlib",
    "PIL",
]


def without_the_heavy(code, *arguments):
    # Snakemake first: its plug-in for Slurm has needs of its own.
    hidden = f"import sys; from snakemake.cli import main; sys.modules.update(dict.fromkeys({HEAVY}))\n"
    command = [sys.executable, "-c", hidden + code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_planning_needs_what_snakemake_needs_and_no_more():
    code = (
        "from pathlib import Path\n"
        "from ablation.jobs.cutting import Cut, cut\n"
        "from ablation.jobs.outline import Outline\n"
        "from ablation.report.figures.table import figures_of\n"
        "from ablation.study.studyfile import read_study\n"
        "for plan in map(read_study, Path('config/studies').glob('*.yaml')):\n"
        "    print(Outline.of(plan, cut(plan, Cut(5), {}), figures_of(plan)).runs)"
    )
    done = without_the_heavy(code)
    assert not done.returncode, done.stderr
    assert all(map(int, done.stdout.split()))


def test_reading_the_workflow_needs_what_snakemake_needs_and_no_more(tmp_path):
    code = "from snakemake.cli import main; main()"
    done = without_the_heavy(
        code, "--dry-run", "--quiet", "--directory", str(tmp_path), "--config", "study=growth_rate"
    )
    assert not done.returncode, done.stderr
    assert not list(tmp_path.glob("results"))


def test_every_rule_names_the_one_environment():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        text = path.read_text()
        assert len(re.findall(r"^ *rule \w+:", text, re.MULTILINE)) == text.count('"../../environment.yml"')


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
