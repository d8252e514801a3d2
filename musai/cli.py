"""The `musai` command. Exit status: 0 done, 1 a job failed, 2 unusable command, configuration or input, 3 refused."""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import pathlib
import sys
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table as Grid

from musai import config as configuration
from musai import tables
from musai.arguments import parsed
from musai.config import Config
from musai.errors import AuditRefused, InputError, MusaiError
from musai.progress import Progress, Screen
from musai.provenance import check_run_id
from musai.redaction import Formatter, plain, redacted

PIPE_WIDTH = 20_000  # columns


def main(arguments: Sequence[str] | None = None) -> int:
    options = parsed(arguments)
    console = Screen(stderr=True, highlight=False, soft_wrap=True)
    try:
        status = COMMANDS[options.command](options)
    except MusaiError as error:
        for fault in error.faults if isinstance(error, InputError) else [str(error)]:
            console.print(plain(redacted(f"musai: {fault}")), markup=False)
        for advice in getattr(error, "__notes__", ()):
            console.print(f"  {advice}", markup=False)
        status = error.exit_status
    except OSError as error:
        text = f"musai: {error.filename or ''}: {error.strerror or error}".replace(": :", ":")
        console.print(plain(redacted(text)), markup=False)
        status = 1
    except KeyboardInterrupt:
        console.print("musai: interrupted; `musai nightly --from JOB` goes on", markup=False)
        status = 130
    return status


def _config(options: argparse.Namespace) -> Config:
    config = configuration.load(options.config, options.settings)
    level = logging.WARNING if sys.stderr.isatty() and config.log.level == "info" else config.log.level.upper()
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler.addFilter(_worth_a_line)
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("py4j").setLevel(logging.WARNING)
    return config


def _worth_a_line(record: logging.LogRecord) -> bool:
    """py4j logs what it raises, with tracebacks, as the root logger: forty lines for a Ctrl-C, which says its own."""
    return not (record.name == "root" and "py4j" in pathlib.PurePath(record.pathname).parts)


def _nightly(options: argparse.Namespace) -> int:
    return _night(options, options.from_job, None if options.only is None else options.only.split(","))


def _run(options: argparse.Namespace) -> int:
    return _night(options, None, [options.job])


def _night(options: argparse.Namespace, from_job: str | None, only: Sequence[str] | None) -> int:
    from musai import pipeline, summary

    config = _usable(options, from_job, only)
    progress = Progress()
    request = pipeline.Request(_date(options.run_date), options.run_id, from_job, tuple(only or ()))
    try:
        outcome = pipeline.nightly(config, request, progress)
    except MusaiError as error:
        if progress.run_id:
            error.add_note(_what_next(error, progress, request.only))
        raise
    finally:
        progress.end()
    summary.show(outcome, _output())
    return 0


def _usable(options: argparse.Namespace, from_job: str | None = None, only: Sequence[str] | None = None) -> Config:
    """The configuration. Raises InputError with every fault of it, of the other options and of the inputs."""
    from musai import pipeline

    faults = ["--from and --only: one of them at a time"] if from_job is not None and only is not None else []
    looks: list[Callable[[], object]] = [
        lambda: _date(options.run_date),
        lambda: options.run_id is None or check_run_id(options.run_id),
        lambda: only is None or tables.order(only),
        lambda: from_job is None or tables.order([from_job, *tables.order()]),  # nor a weekly one
    ]
    for look in looks:
        try:
            look()
        except InputError as error:
            faults += error.faults
    try:
        config = _config(options)
    except configuration.ConfigError as error:
        raise InputError([*faults, *error.faults, *(pipeline.check(error.rest) if error.rest else ())]) from error
    if faults:
        raise InputError([*faults, *pipeline.check(config)])
    return config


def _what_next(error: MusaiError, progress: Progress, only: tuple[str, ...]) -> str:
    again = f"musai run {progress.at_work}" if only else f"musai nightly --from {progress.at_work}"
    if isinstance(error, AuditRefused):
        return f"`musai report --open --run-id {progress.run_id}` shows what the audit found"
    return f"what was done is kept: `{again} --run-id {progress.run_id}` goes on, with the same options"


def _date(text: str | None) -> dt.date | None:
    if text is None:
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or str(day) != text:  # Python would take 2026-W01-1 too
        raise InputError(f"--run-date {text}: YYYY-MM-DD is due")
    return day


def _check(options: argparse.Namespace) -> int:
    from musai import pipeline

    faults = pipeline.check(_usable(options))
    if faults:
        raise InputError(faults)
    print("configuration and inputs can be used")
    return 0


def _output() -> Console:
    """Standard output. What is no terminal takes lines of any length: an id must come out of a pipe as it went in."""
    return Screen(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def _jobs(options: argparse.Namespace) -> int:
    if options.svg:
        from musai.tables import picture

        options.svg.write_text(picture.svg(), encoding="utf-8")
        return 0
    grid = Grid("job", "runs", "reads", "writes", box=None)
    for job in (*tables.order(), *tables.weekly()):
        read, written = tables.reads(job), tables.writes(job)
        often = "weekly" if tables.is_weekly(job) else "nightly"
        grid.add_row(job, often, ", ".join(t.name for t in read), ", ".join(t.name for t in written))
    _output().print(grid)
    return 0


def _tables(_: argparse.Namespace) -> int:
    console = Screen(highlight=False, soft_wrap=True)
    for table in tables.TABLES.values():
        writers = ", ".join(table.writers) or "every job"
        console.print(
            f"[bold]{table.name}[/bold]  {table.kind}, key {', '.join(table.key) or '-'}, written by {writers}"
        )
        console.print(f"  {table.comment}", markup=False)
        for column in table.columns:
            console.print(f"    {column.name:<18} {column.type:<16} {column.comment}", markup=False)
    return 0


def _path(options: argparse.Namespace) -> int:
    from musai import show

    print(show.warehouse(_config(options)).published_path(options.table))
    return 0


def _show(options: argparse.Namespace) -> int:
    from musai import show

    what = show.user if options.what == "user" else show.track
    what(show.warehouse(_config(options)), options.id, _output())
    return 0


def _recommend(options: argparse.Namespace) -> int:
    from musai import newcomer, show
    from musai.inputs.files import read_ids

    plays = dict.fromkeys([*filter(None, options.tracks.split(",")), *read_ids(options.file, "--file")], 1.0)
    config = _config(options)
    published, console = show.warehouse(config), _output()
    found = newcomer.lists(published, config, plays)
    if found.unknown:
        console.print(plain(f"nobody had these, so they say nothing: {', '.join(found.unknown)}"), markup=False)
    show.lists(published, found.rows, console)
    return 0


def _forget(options: argparse.Namespace) -> int:
    from musai.erasure import command

    ids = [word for word in options.settings if "=" not in word]
    options.settings = [word for word in options.settings if "=" in word]
    config = _config(options)
    command.run(config, command.ids_of(ids, options.file), options.dry_run, options.grace, _output())
    return 0


def _generate(options: argparse.Namespace) -> int:
    from musai import desk

    settings, console = configuration.load().generation, Screen(highlight=False, soft_wrap=True)
    how = (options.method, options.style, options.emotion, options.count, options.seed)
    desk.generate(settings, *how, options.folder, console)
    return 0


def _transfer(options: argparse.Namespace) -> int:
    from musai import desk

    desk.transfer(configuration.load().generation, options.source, options.to, options.seed, options.out)
    return 0


def _render(options: argparse.Namespace) -> int:
    from musai import desk, show

    desk.render(show.warehouse(_config(options)), options.id, options.out)
    return 0


def _report(options: argparse.Namespace) -> int:
    import webbrowser

    from musai import show, storage

    path = show.report(show.warehouse(_config(options)), options.run_id)
    print(path)
    if not options.open:
        return 0
    if storage.needs_session(path):
        raise InputError(f"--open: {path} is not on this machine; copy it here first")
    if not webbrowser.open(pathlib.Path(path).as_uri()):
        raise InputError("--open: there is no browser here; open the file named above elsewhere")
    return 0


def _listening_test(options: argparse.Namespace) -> int:
    from musai import show
    from musai.listening import answers, making

    words = [word for word in (options.folder, *(options.results or ())) if word]
    options.settings += [word for word in words if "=" in word]
    files = [word for word in words if "=" not in word]
    config = _config(options)
    published = show.warehouse(config)
    if options.results:
        show.judgement(answers.counted(published, [pathlib.Path(file) for file in files]), Screen(highlight=False))
    elif not files:
        raise InputError("listening-test: name the folder of a new test, or the answers with --results")
    else:
        (folder,) = map(pathlib.Path, files)
        test = making.make(
            published, config, folder, options.pairs, options.attention, options.seconds, options.seed
        )  # fmt: skip
        print(f"test {test}: hand {folder} to at least {answers.FEWEST_RATERS} people, who open {folder}/index.html")
    return 0


def _models(_: argparse.Namespace) -> int:
    from musai import cards

    print(cards.markdown(), end="")
    return 0


def _completion(options: argparse.Namespace) -> int:
    from musai import completion

    print(completion.script(options.shell), end="")
    return 0


def _demo_data(options: argparse.Namespace) -> int:
    from musai.demo import write_demo

    for name, path in write_demo(options.folder).items():
        print(f"{name}: {path}")
    return 0


COMMANDS = {
    "nightly": _nightly, "run": _run, "check": _check, "jobs": _jobs, "tables": _tables, "path": _path,
    "listening-test": _listening_test, "completion": _completion, "models": _models,
    "show": _show, "recommend": _recommend, "forget": _forget, "demo-data": _demo_data,
    "report": _report, "generate": _generate, "transfer": _transfer, "render": _render,
}  # fmt: skip
