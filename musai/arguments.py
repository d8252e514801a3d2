"""What the `musai` command understands: its commands with their options, each with an example."""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Callable, Sequence

import musai

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
    jobs = command("jobs", "the jobs with what they read and write", "jobs --svg flow.svg")
    jobs.add_argument("--svg", type=pathlib.Path, metavar="FILE", help="write them as a picture")
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
    _newcomer(command)
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
    command("models", "the models that ship: data, licences, figures", "models")
    _listening_test(command)
    shell = command("completion", "what makes a shell complete these commands", "completion bash >> ~/.bashrc")
    shell.add_argument("shell", choices=["bash", "zsh", "fish"])
    demo = command("demo-data", "write the demo's input files", "demo-data var/demo")
    demo.add_argument("folder", type=pathlib.Path)
    return top


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 is due, not {text!r}")
    return int(text)


def _newcomer(command: Callable[..., argparse.ArgumentParser]) -> None:
    one = command(
        "recommend", "lists for a listener who arrived today, by the published night's models",
        "recommend --tracks track-0007,track-0031 --config mine.yaml\n\nNothing is trained: the plays are folded in. "
        "Take the configuration of the night.\nFrom Python, with numbers of plays: musai.recommend({'track-0007': 3})",
    )  # fmt: skip
    one.add_argument("--tracks", default="", metavar="ID,...", help="what the listener has played")
    one.add_argument("--file", metavar="FILE", help="more of it, an id a line")
    for action in WAREHOUSE._actions:
        one._add_action(action)


def _creation(command: Callable[..., argparse.ArgumentParser]) -> None:
    """The commands for one person who wants to hear something."""
    one = command("generate", "new tracks as MIDI files", "generate --style folk --emotion happy --count 8 songs")
    one.add_argument("--style", required=True, help="folk or chorale")
    one.add_argument("--emotion", required=True, choices=["happy", "calm", "sad", "tense"])
    one.add_argument("--method", default="rnn", choices=["rnn", "gan"])
    one.add_argument("--count", type=_count, default=1, metavar="N")
    one.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed writes the same bytes")
    one.add_argument("folder", type=pathlib.Path)
    one = command("transfer", "a piece in another style", "transfer tune.mid --to chorale hymn.mid")
    one.add_argument("source", type=pathlib.Path)
    one.add_argument("--to", required=True, metavar="STYLE")
    one.add_argument("--seed", type=int, default=1, metavar="N")
    one.add_argument("out", type=pathlib.Path)
    one = command("render", "a generated track as a file", "render rnn-folk-happy-20261122-0000 track.ogg")
    one.add_argument("id", help="generated_id of the published run, or a .mid file")
    one.add_argument("out", type=pathlib.Path, help=".mid, .wav, .ogg or .flac")
    for action in WAREHOUSE._actions:
        one._add_action(action)


def _listening_test(command: Callable[..., argparse.ArgumentParser]) -> None:
    test = command(
        "listening-test", "a page on which people compare created with real music; or count what they answered",
        "listening-test var/test\nexample: musai listening-test --results answers-*.csv",
    )  # fmt: skip
    test.add_argument("folder", nargs="?", metavar="DIR", help="where the page and its clips are written")
    test.add_argument("--results", nargs="+", metavar="FILE", help="the raters' files; a verdict takes 20 of them")
    test.add_argument("--pairs", type=int, default=12, metavar="N", help="that are compared (default: 12)")
    test.add_argument("--attention", type=int, default=2, metavar="N", help="more, that show who listens (default: 2)")
    test.add_argument("--seconds", type=float, default=12, metavar="S", help="of each clip (default: 12)")
    test.add_argument("--seed", type=int, default=1, metavar="N", help="another one draws other pairs")
    for action in WAREHOUSE._actions:
        test._add_action(action)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
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
