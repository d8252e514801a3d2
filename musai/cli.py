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

import musai
from musai import config as configuration
from musai import tables
from musai.config import Config
from musai.errors import InputError, MusaiError
from musai.provenance import check_run_id
from musai.redaction import Formatter, plain, redacted

SAME_OPTIONS = argparse.ArgumentParser(add_help=False)
SAME_OPTIONS.add_argument(
    "--config",
    action="append",
    default=[],
    metavar="FILE",
    help="YAML over conf/base.yaml; more of them merge left to right",
)
SAME_OPTIONS.add_argument("--run-date", metavar="YYYY-MM-DD", help="last whole day the run covers (default: yesterday)")
SAME_OPTIONS.add_argument("--run-id", metavar="ID", help="name of the run (default: <run_date>-<UTC start>)")
SAME_OPTIONS.add_argument(
    "settings", nargs="*", metavar="KEY=VALUE", help="dotted key of the configuration; wins over files"
)

WAREHOUSE = argparse.ArgumentParser(add_help=False)
WAREHOUSE.add_argument("--config", action="append", default=[], metavar="FILE", help="as for nightly")
WAREHOUSE.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="warehouse=FOLDER, say")

PIPE_WIDTH = 20_000  # columns

FORGET = """

Published runs are copied without these listeners, the pointers of their dates move to the copies in one step, and
the old runs are removed; runs that no pointer names are removed where they hold one of them. Readers see whole runs
throughout; killed at any point, the same command goes on. Let no night be at work meanwhile: it would lose its run.
Name the same ids in inputs.erased_users before, or the next night reads them again. An id that holds `=` goes
through --file. What all listeners' rows made together (factors of tracks, neighbours of tracks, sums) stays until
the next night."""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="musai", description=musai.__doc__)
    top.add_argument("--version", action="version", version=f"musai {musai.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(
        name: str, summary: str, example: str, parents: Sequence[argparse.ArgumentParser] = ()
    ) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=summary, description=summary, parents=list(parents), epilog=f"example: musai {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip

    night = command(
        "nightly", "run the nightly jobs in dependency order, in one process",
        "nightly --config conf/datasets/lastfm_2k.yaml inputs.interactions=user_artists.dat", [SAME_OPTIONS],
    )  # fmt: skip
    night.add_argument(
        "--from", dest="from_job", metavar="JOB", help="go on with the newest unpublished run of the date"
    )
    night.add_argument("--only", metavar="JOB,...", help="just these jobs, in that same run")
    one = command("run", "run one job", "run train_als --run-id 2026-11-22-a factorization.factors=128")
    one.add_argument("job", metavar="JOB")
    for action in SAME_OPTIONS._actions:
        one._add_action(action)
    command(
        "check",
        "read the configuration and the inputs' headers, report every fault",
        "check --config my.yaml",
        [SAME_OPTIONS],
    )
    command("jobs", "the jobs with what they read and write", "jobs")
    command("tables", "the tables with columns, keys, kinds and writers", "tables")
    path = command("path", "where the published data of a table lies", "path recommendations")
    path.add_argument("table")
    for action in WAREHOUSE._actions:
        path._add_action(action)
    show = command("show", "what is published of a listener or a track", "show user listener-0001")
    show.add_argument("what", choices=["user", "track"])
    show.add_argument("id")
    for action in WAREHOUSE._actions:
        show._add_action(action)
    _creation(command)
    forget = command(
        "forget", "take listeners out of every run that the warehouse keeps",
        "forget --file erased.txt --config mine.yaml --dry-run" + FORGET,
    )  # fmt: skip
    forget.add_argument("--config", action="append", default=[], metavar="FILE", help="as for nightly")
    forget.add_argument("settings", nargs="*", metavar="ID | KEY=VALUE", help="a listener; or warehouse=FOLDER, say")
    forget.add_argument("--file", metavar="FILE", help="more of their ids, one a line")
    forget.add_argument("--dry-run", action="store_true", help="say what holds them, and change nothing")
    forget.add_argument(
        "--grace", type=float, default=60.0, metavar="SECONDS",
        help="between moving the pointers and removing what they named, for readers at work (default: 60)",
    )  # fmt: skip
    report = command("report", "where the page of the published night lies", "report --open")
    report.add_argument("--open", action="store_true", help="open it in the browser")
    report.add_argument("--run-id", metavar="ID", help="of another run; also of one that the audit refused")
    for action in WAREHOUSE._actions:
        report._add_action(action)
    demo = command("demo-data", "write the demo's input files", "demo-data var/demo")
    demo.add_argument("folder", type=pathlib.Path)
    return top


def _creation(command: Callable[..., argparse.ArgumentParser]) -> None:
    """The commands for one person who wants to hear something."""
    one = command("generate", "new tracks as MIDI files", "generate --style folk --emotion happy --count 8 songs")
    one.add_argument("--style", required=True, help="folk or chorale")
    one.add_argument("--emotion", required=True, choices=["happy", "calm", "sad", "tense"])
    one.add_argument("--method", default="rnn", choices=["rnn"])
    one.add_argument("--count", type=_count, default=1, metavar="N")
    one.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed writes the same bytes")
    one.add_argument("folder", type=pathlib.Path)
    one = command("transfer", "a piece in another style", "transfer tune.mid --to chorale hymn.mid")
    one.add_argument("source", type=pathlib.Path)
    one.add_argument("--to", required=True, metavar="STYLE")
    one.add_argument("--seed", type=int, default=1, metavar="N")
    one.add_argument("out", type=pathlib.Path)
    one = command("render", "a generated track as a file", "render rnn-folk-happy-20261122-0000 track.mid")
    one.add_argument("id")
    one.add_argument("out", type=pathlib.Path)
    for action in WAREHOUSE._actions:
        one._add_action(action)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 is due, not {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parsed(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        status = COMMANDS[options.command](options)
    except InputError as error:
        for fault in error.faults:
            console.print(plain(redacted(f"musai: {fault}")), markup=False)
        status = error.exit_status
    except MusaiError as error:
        console.print(plain(redacted(f"musai: {error}")), markup=False)
        status = error.exit_status
    except OSError as error:
        text = f"musai: {error.filename or ''}: {error.strerror or error}".replace(": :", ":")
        console.print(plain(redacted(text)), markup=False)
        status = 1
    except KeyboardInterrupt:
        console.print("musai: interrupted; `musai nightly --from JOB` goes on", markup=False)
        status = 130
    return status


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options and KEY=VALUE may stand in any order; argparse alone ends the latter at the first option."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options, rest = parser().parse_known_args(words)
    words_are_ids = options.command == "forget"
    unknown = [word for word in rest if word.startswith("-") or ("=" not in word and not words_are_ids)]
    if unknown:
        parser().error(f"unrecognized: {' '.join(unknown)}")
    if rest:
        options.settings = [*getattr(options, "settings", []), *rest]
    return options


def _config(options: argparse.Namespace) -> Config:
    config = configuration.load(options.config, options.settings)
    level = logging.WARNING if sys.stderr.isatty() and config.log.level == "info" else config.log.level.upper()
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("py4j").setLevel(logging.WARNING)
    return config


def _nightly(options: argparse.Namespace) -> int:
    return _night(options, options.from_job, None if options.only is None else options.only.split(","))


def _run(options: argparse.Namespace) -> int:
    return _night(options, None, [options.job])


def _night(options: argparse.Namespace, from_job: str | None, only: Sequence[str] | None) -> int:
    from musai import pipeline, summary
    from musai.progress import Progress

    config = _usable(options, from_job, only)
    progress = Progress()
    request = pipeline.Request(_date(options.run_date), options.run_id, from_job, tuple(only or ()))
    try:
        outcome = pipeline.nightly(config, request, progress)
    finally:
        progress.end()
    summary.show(outcome, _output())
    return 0


def _usable(options: argparse.Namespace, from_job: str | None = None, only: Sequence[str] | None = None) -> Config:
    """The configuration. Raises InputError with every fault of it and of the other options."""
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
    except InputError as error:
        raise InputError([*faults, *error.faults]) from error
    if faults:
        raise InputError(faults)
    return config


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
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def _jobs(_: argparse.Namespace) -> int:
    grid = Grid("job", "runs", "reads", "writes", box=None)
    for job in (*tables.order(), *tables.weekly()):
        read, written = tables.reads(job), tables.writes(job)
        often = "weekly" if tables.is_weekly(job) else "nightly"
        grid.add_row(job, often, ", ".join(t.name for t in read), ", ".join(t.name for t in written))
    _output().print(grid)
    return 0


def _tables(_: argparse.Namespace) -> int:
    console = Console(highlight=False, soft_wrap=True)
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


def _forget(options: argparse.Namespace) -> int:
    from musai.erasure import command

    ids = [word for word in options.settings if "=" not in word]
    options.settings = [word for word in options.settings if "=" in word]
    config = _config(options)
    command.run(config, command.ids_of(ids, options.file), options.dry_run, options.grace, _output())
    return 0


def _generate(options: argparse.Namespace) -> int:
    from musai import desk

    settings, console = configuration.load().generation, Console(highlight=False, soft_wrap=True)
    desk.generate(settings, options.style, options.emotion, options.count, options.seed, options.folder, console)
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


def _demo_data(options: argparse.Namespace) -> int:
    from musai.demo import write_demo

    for name, path in write_demo(options.folder).items():
        print(f"{name}: {path}")
    return 0


COMMANDS = {
    "nightly": _nightly, "run": _run, "check": _check, "jobs": _jobs, "tables": _tables, "path": _path,
    "show": _show, "forget": _forget, "demo-data": _demo_data,
    "report": _report, "generate": _generate, "transfer": _transfer, "render": _render,
}  # fmt: skip
