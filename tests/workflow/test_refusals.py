"""What is refused before anything is made: in a sentence that stands alone, whatever Snakemake was asked to do."""

import pytest
from workspace import STUDY, Workspace, copy_project

from ablation.jobs.starts import note_origin


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The project without any results; none of these tests makes any."""
    workspace = Workspace(tmp_path_factory.mktemp("refusals") / "project")
    copy_project(workspace.path)
    (workspace.path / "config/studies/broken.yaml").write_text("title: [")
    (workspace.path / "config/studies/wrong.yaml").write_text("title: t")
    return workspace


@pytest.mark.parametrize(
    ("option", "settings", "said"),
    [
        ("--dry-run", {"study": "nothing"}, "study: no such file config/studies/nothing.yaml"),
        ("--lint", {"study": "../digits"}, "study: found '../digits', expected"),
        ("--printshellcmds", {"study": "broken"}, "config/studies/broken.yaml, line 1, column 9: not valid YAML"),
        ("--printshellcmds", {"study": "wrong"}, "config/studies/wrong.yaml is not a study that can run:"),
        ("--dry-run", {"study": ""}, "study: found nothing, expected a word: Name of a file in config/studies"),
        ("--dry-run", {"study": "config"}, "study: found the folder 'config', expected the name of a file"),
        ("--lint", {"shard_size": "many"}, 'shard_size: found "many", expected a whole number of at least 1'),
        (
            "--summary",
            {"shardsize": "3"},
            "shardsize: unknown key of --config, config/config.yaml or a profile; did you",
        ),
        ("--printshellcmds", {"results": "README.md"}, "results: found the file README.md, expected a folder"),
    ],
)
def test_a_refusal_stands_bare_and_nothing_is_made(project, option, settings, said):
    assert project.refused(option, **settings).startswith(said)
    assert [path.name for path in (project.path / "results").iterdir()] == ["README.md"]


def test_two_studies_of_the_same_name_do_not_share_results(project):
    other = project.path / "other/miniature.yaml"
    other.parent.mkdir()
    other.write_text((project.path / STUDY).read_text().replace("seeds: 2", "seeds: 3"))
    folder = project.path / "elsewhere/miniature"
    note_origin(project.path / STUDY, folder)
    said = project.refused("--dry-run", study="other/miniature.yaml", results="elsewhere")
    assert said.startswith("elsewhere/miniature has the results of another study of the same name: found")
    assert str(project.path / STUDY) in said
    assert str(other) in said
    assert "--config results=FOLDER" in said
    project.run("--dry-run", study="other/miniature.yaml", results="another")
    project.run("--dry-run", study="miniature", results="elsewhere")
