"""The `spiky` command; each sub-command imports what it needs, so that help and completion are quick."""

import contextlib
import difflib
import errno
import os
import re
import sys
import warnings
from functools import partial
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from spikylib import __version__
from spikylib._files import markdown_table, write_whole


class _Commands(click.Group):
    """Commands that end with a sentence where the output cannot be written, as on a full disk."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except OSError as error:
            if error.errno == errno.EPIPE:  # click ends quietly where nobody reads on
                raise
            sys.stdout = None  # else Python would write the rest at its end, and fail again
            click.echo(f"Error: {error.filename or 'the output'}: {error.strerror}", err=True)
            raise SystemExit(1) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="spiky")
def main():
    """Report on your own data; check the claims and run the chapters of the book on spiky SVDs.

    A notebook is code: run only notebooks that you trust.

    \b
    Examples:
      spiky report vectors.npy
      spiky check P25 triplej
      spiky run 3 -p dataset=triplej -p f=64
    \b
    Completion, for this shell (bash, or zsh with zsh_source):
      eval "$(_SPIKY_COMPLETE=bash_source spiky)"
    \b
    Exit codes: 0 done, 1 a run failed or its output cannot be written, 2 wrong usage, or data that cannot be used.
    """


@main.group()
def data():
    """Find, fetch and list datasets.

    \b
    Example:
      spiky data fetch movielens-small
    """


def _complete_dataset(context, argument, word):
    from spikylib.datasets._catalogue import DATASETS

    return [CompletionItem(name) for name in DATASETS if name.startswith(word)]


_FOLDER = click.Path(file_okay=False)
_folder_option = partial(click.option, "-o", "--output", "folder", type=_FOLDER)
_data_home_option = click.option(
    "--data-home", type=_FOLDER, help="Folder of the datasets; else $SPIKYLIB_DATA, else the user's cache."
)


@data.command("list")
@_data_home_option
def list_(data_home):
    """List the datasets: which are on this machine, where, how large, and under which terms.

    \b
    Example:
      spiky data list --data-home ~/data
    """
    from tqdm import tqdm

    from spikylib import datasets
    from spikylib.datasets._catalogue import DATASETS

    click.echo(f"data home: {datasets.home(data_home)}\n")
    rows = [("name", "there", "size", "folder or package", "terms")]
    for name, known in DATASETS.items():
        files = datasets.files(name, data_home)
        size = tqdm.format_sizeof(sum(file.stat().st_size for file in files), "B") if files else "-"
        # where the files themselves lie, which may be deeper than the dataset's own folder
        folder = known.package or (known.files[0].rpartition("/")[0] if known.files else "-")
        there = "yes" if files else "no" if known.files else "generated"
        rows.append((name, there, size, folder, known.terms))
    _print_columns(rows)


@data.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=_complete_dataset)
@_data_home_option
@click.option("--from", "address", metavar="ADDRESS_OR_FILE", help="Another https address, or a local file.")
@click.option("--force", is_flag=True, help="Fetch again, and replace existing files.")
def fetch(names, data_home, address, force):
    """Download datasets from their publishers.

    The terms are shown first. Files are checked before they take their place; after a failure, run the same
    command again.

    \b
    Examples:
      spiky data fetch triplej movielens-small
      spiky data fetch lastfm-360k --from ~/Downloads/lastfm-dataset-360K.tar.gz
    """
    from spikylib import datasets
    from spikylib.datasets._catalogue import DATASETS

    # not as the argument's type, for which every command would wait for the catalogue
    choice = click.Choice(list(DATASETS))
    names = [choice.convert(name, None, None) for name in names]
    if address and len(names) > 1:
        raise click.UsageError("--from takes exactly one NAME")
    failed = False
    for name in names:
        try:
            files = datasets.fetch(name, data_home=data_home, address=address, force=force)
            text = f"{name} is there:" if files else f"{name} is generated: there is nothing to fetch"
            click.echo("\n  ".join([text, *map(str, files)]))
        except (ValueError, OSError) as error:
            failed = True
            click.echo(f"Error: {error}", err=True)
    if failed:
        raise SystemExit(1)


@data.command()
@_data_home_option
def path(data_home):
    """Print the data home.

    \b
    Example:
      ls "$(spiky data path)"
    """
    from spikylib import datasets

    click.echo(datasets.home(data_home))


_COLUMNS = {
    "item": "Column of the items in your own file; its position, from 0, if there is no header.",
    "context": "Column of the contexts: users, playlists, baskets.",
    "time": "Column of the dates.",
    "label": "Column of the items' names.",
}


def _name_or_position(context, option, column):
    return int(column) if column and column.isdecimal() else column


_columns_options = (
    *(click.option(f"--{name}", help=text, callback=_name_or_position) for name, text in _COLUMNS.items()),
    click.option("--interactions", metavar="FILE", help="File of the interactions behind the embeddings."),
    click.option("--seed", type=click.IntRange(0), default=0, help="Seed of the first random draw."),
    _data_home_option,
)


def _of_data(command):
    """Add the options that say how a file of one's own is read."""
    for option in reversed(_columns_options):
        command = option(command)
    return command


def _studies(*sources, **options):
    """The study of each path or name (None for None), its notes printed; options without effect are refused."""
    from spikylib.datasets._catalogue import DATASETS
    from spikylib.study import Study

    studies = [source and Study.load(source, **options) for source in sources]
    behind = options.get("interactions")
    tables = {behind or path for path, study in zip(sources, studies) if study and study.interactions}
    of_table = "names a column of interactions in a file of your own"
    idle = {name: of_table for name in _COLUMNS if options[name] is not None and tables <= DATASETS.keys()}
    if behind and not any(study and study.embeddings for study in studies):
        idle["interactions"] = "goes with embeddings"
    if options.get("f", 128) != 128 and not any(study and "refit" in study.has for study in studies):
        idle["f"] = "goes with interactions that are to be embedded"
    for name, why in idle.items():
        raise ValueError(f"--{name} {why}, and there are none here: leave it out")
    for study in studies:
        if study and study.notes:
            click.echo(f"{study.name}: {study.notes}", err=True)
    return studies


def _show(found, form, page):
    click.echo(found.markdown() if form == "markdown" else found.text())
    click.echo(f"\n{page}", err=True)


_format_option = click.option(
    "--format", "form", type=click.Choice(["text", "markdown"]), default="text", help="What is printed."
)


@main.command()
@click.argument("source", metavar="DATA", type=click.Path())
@_folder_option(default=".", help="Folder for report.html and report.json.")
@click.option("--all", "thorough", is_flag=True, help="Also check the claims that train other models.")
@click.option("--f", type=click.IntRange(2), default=128, help="Dimensions, if DATA is interactions.")
@click.option("--gpu", "device", flag_value="gpu", default="cpu", help="Compute on a CUDA GPU, by CuPy.")
@_format_option
@_of_data
def report(source, folder, thorough, form, **options):
    """Report whether DATA is spiky and what to do about it: report.html, report.json and a summary.

    DATA is the name of a dataset, or a file or folder of interactions, embeddings, or dated
    embeddings. The page opens in any browser, offline.

    \b
    Examples:
      spiky report vectors.npy
      spiky report vectors.npz --interactions plays.csv -o report
      spiky report plays.csv --item track --context user --time date
      spiky report triplej --format markdown >> "$GITHUB_STEP_SUMMARY"
    """
    from spikylib import report as reports

    with _usage():
        _check_writable(folder)
        found = reports.report(*_studies(source, **options), quick=not thorough)
        page = found.save(folder)
    _show(found, form, page)


@main.command()
@click.argument("old", metavar="A", type=click.Path())
@click.argument("new", metavar="B", type=click.Path())
@click.option(
    "--again", metavar="A2", type=click.Path(), help="A's model trained again: the change due to chance."
)
@click.option("--fail-if", "gates", metavar="GATE", multiple=True, help="Exit with 1 if it is true.")
@_folder_option(default=".", help="Folder for compare.html and compare.json.")
@click.option(
    "--junit", metavar="FILE", type=click.Path(dir_okay=False), help="Write the gates as JUnit XML."
)
@_format_option
@_of_data
def compare(old, new, again, gates, folder, junit, form, interactions, **options):
    """Compare two versions of an embedding, and stop a release that changes too much.

    A and B are files of embeddings with ids, or of interactions. The floor, the change due to chance alone,
    comes from --again or --interactions. A gate compares a condition, by <, <=, > or >=, with a number or
    with floor; the error about an unknown condition lists the known ones.

    \b
    Examples:
      spiky compare old.npz new.npz --again old2.npz
      spiky compare old.npz new.npz --fail-if 'spk_128 > 0.05'
      spiky compare old.npz new.npz --again old2.npz --fail-if 'overlap_top_quintile < floor' --junit gates.xml
    \b
    Exit codes: 0 all gates passed, 1 a gate failed, 2 wrong usage.
    """
    from spikylib import report as reports

    with _usage():
        _check_writable(folder)
        if junit and not gates:
            raise ValueError("--junit writes the results of gates, and there are none: give --fail-if")
        a, b, again, behind = _studies(old, new, again, interactions, **options)
        if behind and behind.interactions is None:
            raise ValueError(f"{interactions} contains embeddings; --interactions takes who played what")
        played = behind.interactions if behind else None
        found = reports.compare(a, b, again=again, interactions=played, fail_if=gates)
        page = found.save(folder)
        if junit:
            write_whole(junit, found.junit())
    _show(found, form, page)
    if any(gate["failed"] for gate in found.content["gates"]):
        raise SystemExit(1)


@main.command()
@click.argument("claim", metavar="[ID]", required=False)
@click.argument("source", metavar="[DATA]", required=False, type=click.Path())
@click.option("--list", "listed", is_flag=True, help="List the claims without checking any.")
@_of_data
def check(claim, source, listed, seed, **options):
    """Check a claim of the book on data: a verdict for each part, and a sentence with the numbers.

    ID is the number of a claim; DATA the name of a dataset, or a file or folder of interactions, embeddings
    or snapshots. Claims on generated data take no DATA. The exit code is 0 whatever the verdict.

    \b
    Examples:
      spiky check --list
      spiky check P25 triplej
      spiky check P27 plays.csv --item track --context user
      spiky check P1 vectors.npz --interactions plays.csv
      spiky check P10
    """
    from spikylib import claims

    table = claims.table()
    if listed:
        if claim:
            raise click.UsageError(f"--list lists all claims: leave out {claim}")
        return _print_columns([table.columns, *table.to_numpy()])
    if claim is None:
        raise click.UsageError("which claim? Give its ID, or --list to see them")
    ids = list(table["id"].unique())
    if claim.upper() not in ids:
        close = difflib.get_close_matches(claim.upper(), ids, n=5, cutoff=0.3)
        hint = f"the nearest are {', '.join(close)}; " if close else ""
        raise click.UsageError(f"there is no claim {claim!r}; {hint}spiky check --list lists all")
    with _usage():
        needed = {part.on_data for part in claims.parts(claim.upper())}
        if source is None and needed == {True}:
            raise ValueError(f"{claim} needs a catalogue: name DATA, as in spiky check {claim} triplej")
        if source and True not in needed:
            raise ValueError(f"{claim} is checked on generated data: leave out {source}")
        (study,) = _studies(source, **options, seed=seed)
        found = claims.check(claim.upper(), study, seed=seed)
    for finding in found:
        part = f", {finding.part}" if finding.part else ""
        click.echo(f"{finding.id}{part}: {finding.verdict} on {finding.data}\n  {finding.why}")


def _check_writable(folder):
    """Refuse, before the work, a folder that cannot be written."""
    whole = Path(folder).absolute()
    there = next(path for path in (whole, *whole.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ValueError(f"{folder} cannot be written; name another folder with -o")


def _complete_notebook(context, argument, word):
    from spikylib.rerun import _parameters

    # without a checkout there are no chapters, and files are offered
    with contextlib.suppress(OSError):
        files = _parameters.chapters()
        names = [(str(int(file.stem[:2])), file) for file in files]
        names += [(file.stem, file) for file in files if word]
        items = [CompletionItem(n, help=_parameters.title(f)[0]) for n, f in names if n.startswith(word)]
        return items or [CompletionItem(word, type="file")]


def _complete_parameter(context, option, word):
    from spikylib.rerun import _parameters

    with contextlib.suppress(OSError, ValueError):
        # where -p has no value yet, click leaves the words before it unparsed
        notebook = context.params["notebook"] or next(iter(context.args), "")
        known = _parameters.settable(_parameters.find(notebook)).values()
        items = [CompletionItem(f"{p.name}={p.default}", help=p.meaning) for p in known]
        return [item for item in items if item.value.startswith(word)]


_parameter_option = partial(click.option, "-p", "given", multiple=True, shell_complete=_complete_parameter)
_notebook_argument = click.argument("notebook", metavar="NOTEBOOK", shell_complete=_complete_notebook)
_output_option = _folder_option(default="runs", help="Folder of all runs.")
_force_option = click.option("--force", is_flag=True, help="Run again even if the result exists.")


@contextlib.contextmanager
def _usage():
    """Turn errors in the words of a command into its exit code 2; warnings are in the notes."""
    try:
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
            yield
    except (OSError, ValueError, MemoryError) as error:
        # in one line; of the system's errors what concerns the user, and of Python's arguments the options
        options = "|".join(click.get_current_context().params) or "-"
        text = re.sub(rf"\b({options})=", r"--\1 ", str(error))
        file = getattr(error, "filename", None)
        text = f"{file}: {error.strerror}" if file else " ".join(text.split())
        click.echo(f"Error: {text}", err=True)
        raise SystemExit(2) from None


@main.command()
def notebooks():
    """List the chapters: number, title, about how long each runs, and its parameters.

    \b
    Example:
      spiky notebooks
    """
    from spikylib.rerun import _parameters

    with _usage():
        for file in _parameters.chapters():
            title, duration = _parameters.title(file)
            click.echo(f"{int(file.stem[:2]):2}  {title}")
            click.echo(f"    {file.stem}, {duration}: {', '.join(_parameters.settable(file))}")


@main.command()
@_notebook_argument
def params(notebook):
    """List the parameters of a notebook: name, type, default, range and meaning.

    They are read from its parameters cell, one per line: ``f: int = 128  # meaning, 16 to 512``.

    \b
    Examples:
      spiky params 3
      spiky params ~/mine.ipynb
    """
    from spikylib.rerun import _parameters

    with _usage():
        known = _parameters.settable(_parameters.find(notebook)).values()
    rows = [(p.name, p.type, str(p.default) or '""', p.range or "-", p.meaning or "-") for p in known]
    _print_columns([("name", "type", "default", "range", "meaning"), *rows])


@main.command()
@_notebook_argument
@_parameter_option(metavar="NAME=VALUE", help="A parameter; the others keep their defaults.")
@_output_option
@_force_option
@click.option("--html", is_flag=True, help="Also write the executed notebook as one stand-alone HTML file.")
def run(notebook, given, folder, force, html):
    """Run a chapter with other parameters.

    NOTEBOOK is a chapter's number, its name, or the path of a notebook. Names, types and ranges are
    checked before anything runs. The run's folder gets the executed notebook and result.json:
    parameters, named results, versions, seed, dataset, commit and seconds. A notebook is code: run
    only notebooks that you trust.

    \b
    Examples:
      spiky run 3 -p dataset=triplej -p f=64
      spiky run ~/mine.ipynb -p seed=1 -o ~/runs --html
    """
    from spikylib.rerun import _html, _parameters, _runs

    with _usage():
        (planned,) = _runs.plan(_parameters.find(notebook), given, folder)
        place = f"{folder}/{planned.name}"
        outcome = _runs.execute(planned, folder, force=force)
        if outcome.status == "failed" and not outcome.detail:
            raise ValueError(f"{outcome.reason}; the notebook up to there is in {place}")
        if outcome.status == "failed":
            raise click.ClickException(f"{outcome.detail}\n\nThe notebook up to there is in {place}")
        if html:
            _html.write(Path(place) / planned.notebook.name)
    hint = "; --force runs it again" if outcome.status == "existing" else ""
    click.echo(f"{place} {_outcome_text(outcome)}{hint}")


@main.command()
@_notebook_argument
@_parameter_option(metavar="NAME=VALUE,...", help="A parameter and its values; every combination is run.")
@click.option("-j", "--jobs", type=click.IntRange(1), default=1, help="Processes, which share the cores.")
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler whose workers can read the same files.")
@click.option("--dry-run", is_flag=True, help="List the runs and run nothing.")
@_output_option
@_force_option
def sweep(notebook, given, jobs, scheduler, dry_run, folder, force):
    """Run a chapter with every combination of parameters.

    Runs whose results exist are skipped, so after Ctrl-C or a failure the same command continues where it
    stopped. A run that fails does not stop the others. A notebook is code: run only notebooks that you
    trust.

    \b
    Examples:
      spiky sweep 3 -p dataset=cornell-yes-small,triplej -p f=16,32,64,128 -j 2
      spiky sweep 3 -p f=16,32 --scheduler tcp://10.0.0.1:8786
    """
    from spikylib.rerun import _parameters, _runs

    with _usage():
        runs = _runs.plan(_parameters.find(notebook), given, folder, grid=True)
    if dry_run:
        click.echo("\n".join(planned.name for planned in runs))
        return
    outcomes = _runs.sweep(runs, folder, jobs=jobs, scheduler=scheduler, force=force)
    failed = []
    try:
        # closed on Ctrl-C, the sweep ends its processes
        with _usage(), contextlib.closing(outcomes):
            for count, outcome in enumerate(outcomes, 1):
                click.echo(f"[{count}/{len(runs)}] {outcome.name} {_outcome_text(outcome)}")
                if outcome.status == "failed":
                    failed.append(f"  {outcome.name}: {outcome.reason}")
    except KeyboardInterrupt:
        click.echo("\nStopped; the same command continues from here", err=True)
        raise SystemExit(1) from None
    if failed:
        raise click.ClickException("\n".join([f"{len(failed)} of {len(runs)} failed:", *failed]))


@main.command()
@click.argument("folder", default="runs", type=click.Path(exists=True, file_okay=False))
@click.option("--csv", "form", flag_value="csv", help="As CSV.")
@click.option("--json", "form", flag_value="json", help="As JSON, one object per run.")
@click.option("--markdown", "form", flag_value="markdown", help="As a Markdown table.")
@click.option("-c", "--column", "patterns", metavar="PATTERN", multiple=True, help="Results such as spk*.")
def results(folder, form, patterns):
    """Tabulate the runs in FOLDER (default: runs): parameters and results, one row per run.

    Without --csv, --json or --markdown, parameters that all runs share are printed above the table.

    \b
    Examples:
      spiky results
      spiky results runs -c 'spk*' --csv > spk.csv
      spiky results book/results -c peaks
    """
    from spikylib.rerun import _results

    with _usage():
        frame = _results.table(folder, patterns)
    # a run without a result of some name has an empty cell, not nan
    text = frame.map(str, na_action="ignore").fillna("")
    if form == "csv":
        click.echo(frame.to_csv(index=False), nl=False)
    elif form == "json":
        click.echo(frame.to_json(orient="records", indent=1, force_ascii=False))
    elif form == "markdown":
        click.echo("\n".join(markdown_table(text.columns, text.to_numpy())))
    else:
        # results stay in the table even where they agree: that they agree is a finding
        settings = text.columns[: list(text).index("seconds")] if len(text) > 1 else []
        common = {name: text[name][0] for name in settings if text[name].nunique() == 1}
        if any(common.values()):
            click.echo("in all runs: " + ", ".join(f"{k}={v}" for k, v in common.items() if v) + "\n")
        text = text.drop(columns=list(common))
        _print_columns([text.columns, *text.to_numpy()])


def _outcome_text(outcome):
    if outcome.status == "existing":
        return "exists already" + (f" ({outcome.reason})" if outcome.reason else "")
    seconds = f" in {outcome.seconds:.1f} s" if outcome.seconds else ""
    reason = f" ({outcome.reason})" if outcome.status == "done" and outcome.reason else ""
    return f"{outcome.status}{seconds}{reason}"


def _print_columns(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
