"""`nextlabel simulate`: a table at the end, and a sentence where something is for the user to mend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nextlabel.cli import EXIT_CONFIGURATION, cli

QUICK = ["--seeds", "2", "--budget", "30", "--workers", "1"]


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "flowers.csv"
    rows = [f"{n % 3 + n % 7 / 10},{n % 5},kind {n % 3}" for n in range(90)]
    path.write_text("width,height,kind\n" + "\n".join(rows) + "\n")
    return path


def simulate(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["simulate", *map(str, arguments)])


def test_strategies_are_compared_in_a_table(flowers: Path) -> None:
    done = simulate(flowers, *QUICK, "--strategy", "entropy", "--strategy", "random")
    assert done.exit_code == 0, done.output
    assert "flowers.csv: accuracy, 2 seeds" in done.stdout
    assert "entropy" in done.stdout
    assert "at 30 labels" in done.stdout
    assert "90 rows of numbers, 3 classes" in done.stderr


def test_without_strategies_the_default_and_random_order_are_compared(flowers: Path) -> None:
    read = json.loads(simulate(flowers, *QUICK, "--json", "-").stdout)
    assert [one["strategy"] for one in read["summaries"]] == ["adaptive", "random"]


def test_json_plot_and_runs_are_written(flowers: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("all.json", "curves.svg", "runs.jsonl")]
    done = simulate(flowers, *QUICK, "--json", files[0], "--plot", files[1], "--resume", files[2])
    assert done.exit_code == 0, done.output
    assert json.loads(files[0].read_text())["metric"] == "accuracy"
    assert all(file.stat().st_size for file in files)
    again = simulate(flowers, *QUICK, "--resume", files[2])
    assert again.stdout == done.stdout


def test_an_estimator_is_taken_by_its_path(flowers: Path) -> None:
    assert simulate(flowers, *QUICK, "--estimator", "sklearn.naive_bayes.GaussianNB").exit_code == 0


def test_options_reach_the_simulation(flowers: Path) -> None:
    done = simulate(flowers, *QUICK, "--metric", "macro_f1", "--initial", 12, "--batch", 6, "--json", "-")
    read = json.loads(done.stdout)
    assert read["metric"] == "macro_f1"
    assert read["curves"][0]["labels"] == [12, 18, 24, 30]


@pytest.mark.parametrize(
    ("arguments", "stated"),
    [
        (["nowhere.csv"], "There is no file nowhere.csv"),
        (["FLOWERS", "--strategy", "margn"], "There is no strategy 'margn'"),
        (["FLOWERS", "--label", "colour"], "has no column 'colour'"),
        (["FLOWERS", "--text", "width", "--features", "height"], "Name the text or the features"),
        (["FLOWERS", "--test", "nowhere.csv"], "There is no file nowhere.csv"),
        (["FLOWERS", "--estimator", "sklearn.svm.Nothing"], "'sklearn.svm.Nothing' cannot be had"),
        (["FLOWERS", "--estimator", "nothing"], "'nothing' cannot be had"),
        (["FLOWERS", "--estimator", "sklearn.cluster.KMeans"], "is no classifier"),
        (["FLOWERS", "--plot", "curves.txt"], "A plot ends in .png"),
        (["FLOWERS", "--plot", "no/such/folder.png"], "There is no folder no/such"),
        (["FLOWERS", "--json", "no/such/folder.json"], "There is no folder no/such"),
        (["FLOWERS", "--resume", "FLOWERS"], "line 1, is no JSON"),
    ],
)
def test_what_is_for_the_user_to_mend_is_a_sentence(flowers: Path, arguments: list[str], stated: str) -> None:
    done = simulate(*(str(flowers) if one == "FLOWERS" else one for one in arguments), *QUICK)
    assert done.exit_code == EXIT_CONFIGURATION
    assert stated in done.stderr
    assert "Traceback" not in done.output


def test_the_columns_that_are_taken_are_named(flowers: Path) -> None:
    stated = "The label is the column 'kind', learned from 'width', 'height'."
    assert stated in simulate(flowers, *QUICK, "--strategy", "random").stderr


def table(folder: Path, rows: int, classes: int) -> Path:
    path = folder / "rows.csv"
    path.write_text("text,label\n" + "".join(f"some words {n},{n % classes}\n" for n in range(rows)))
    return path


@pytest.mark.parametrize("classes", [100, 60])
def test_as_many_classes_as_rows_are_refused(tmp_path: Path, classes: int) -> None:
    done = simulate(table(tmp_path, 100, classes), *QUICK)
    assert done.exit_code == EXIT_CONFIGURATION
    assert f"{classes} classes in 100 rows" in done.stderr
    assert "is 'label' the label column?" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize(("rows", "options"), [(12, []), (48, []), (100, ["--test-share", "0.1"])])
def test_from_too_few_labels_nothing_is_told(tmp_path: Path, rows: int, options: list[str]) -> None:
    done = simulate(table(tmp_path, rows, 2), *QUICK, *options)
    assert (done.exit_code, done.stdout) == (EXIT_CONFIGURATION, "")
    assert "too few labels to tell anything" in done.stderr


@pytest.mark.parametrize("options", [["--initial", "42"], [*QUICK, "--initial", "30"]])
def test_labels_that_all_go_to_the_first_batch_tell_nothing(tmp_path: Path, options: list[str]) -> None:
    done = simulate(table(tmp_path, 60, 2), *options)
    assert done.exit_code == EXIT_CONFIGURATION
    assert "are among the first ones" in done.stderr.replace("\n", " ")


def test_numbers_out_of_range_are_refused(flowers: Path) -> None:
    assert simulate(flowers, "--budget", 0).exit_code == 2
    assert simulate(flowers, "--test-share", 1).exit_code == 2
