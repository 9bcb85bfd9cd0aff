"""A study that the workflow has made is given away, and made again from the archive alone."""

from ablation.cli import entry


def test_what_the_workflow_made_comes_out_of_the_archive_again(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    entry.run(["bundle", "miniature", "--results", str(finished.path / "results"), "--output", "miniature.zip"])
    entry.run(["recompute", "miniature.zip"])
    said = capsys.readouterr().out
    tables = {path.name for path in (finished.path / "results/miniature/tables").iterdir()}
    assert all(f"equal    tables/{name}" in said for name in tables), "the verbs make all that the rules make"
    assert "differs" not in said
