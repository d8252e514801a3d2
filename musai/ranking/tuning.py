"""Settings found on plays that were held out: each part's own by search, then the weights of the blend.

Input: the training matrix R, csr float32 [users, items], and what some of its users have beside it. A part is fitted on
R with the settings of a trial (Optuna's TPE; Bergstra et al. 2011), scores those users' tracks, and is worth its mean
NDCG@k. A trial whose first users tell that it is worse than the best (Wilcoxon's signed-rank test over their blocks) is
not measured on the others. The best settings of each part are fitted once more for the blend (`blending`).

The best of many trials is partly the luckiest. So other users judge, who took no part in the search: what was found is
the winner only where it beats the settings at hand on their plays by more than one standard error: no worse settings
pass more than one time in six, and a gain of a per cent is not lost among some hundred judges.

The first trial of a part has the settings at hand. What was given by hand is not searched, and a part without anything
to search has one trial. A part whose trials are slow has fewer, so that the others have their time. A trial depends on
those before it and the seed alone, and each is kept in the journal once it is done: a search that was killed goes on
where it was.
Memory: R three times, the fits of the parts, and what `blending` needs.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from musai.config import Config
from musai.matrix.reading import read_matrix
from musai.ranking import blending, heldout, parts
from musai.ranking.heldout import Held
from musai.ranking.journal import Journal

SCHEMA = "trial int, settings string, metric string, value double, seconds double"
LEAST = 30  # users that judge: of fewer, the mean gain is not nearly normal, and its standard error says little
CLEAR = 1.0  # standard errors by which the judges must be served better
WORSE = 0.05  # chance of error at which a trial is given up
SHARE = 1 / 3  # of the minutes, that one part of several may take beyond its first trial
OF_A_SHARE = 1 / 3  # that one trial may take, by what the first took


@dataclasses.dataclass(frozen=True)
class Trial:
    """part: of the blend, "" for the blend itself; settings: key of the configuration -> value; values: mean NDCG@k of
    each block of users, fewer where it was given up; value: that of all users in them; seconds: for fitting and
    scoring; judged: on the users that judge."""

    part: str
    settings: Mapping[str, Any]
    values: list[float]
    value: float
    users: int
    seconds: float
    judged: bool = False


def batches(
    path: str, shape: tuple[int, int], held_out: Held, judges: Held, config: Config, journal: str, threads: int
) -> Iterator[pa.RecordBatch]:
    """`tune` on the matrix under `path` [users, items], as SCHEMA; the last row is the winner, with all settings."""
    trials = list(tune(read_matrix(path, *shape), held_out, judges, config, threads, Journal(journal)))
    metric, everyone = f"ndcg@{config.tuning.k}", len(held_out.users)

    def named(trial: Trial) -> str:
        if trial.judged:
            return f"{metric} of {trial.users} other listeners"
        return metric if trial.users == everyone else f"{metric} of {trial.users} listeners"

    yield pa.record_batch(
        {
            "trial": pa.array(range(1, len(trials) + 1), pa.int32()),
            "settings": [json.dumps(trial.settings, sort_keys=True) for trial in trials],
            "metric": [named(trial) for trial in trials],
            "value": [trial.value for trial in trials],
            "seconds": [trial.seconds for trial in trials],
        }
    )


def tune(
    matrix: sp.csr_matrix, held_out: Held, judges: Held, config: Config, threads: int, journal: Journal
) -> Iterator[Trial]:
    """Trials of every part in turn until `tuning.trials` of each or `tuning.minutes` are spent; then the blend of the
    best; at last, judged, that and the settings at hand, the winner after the other. Nothing where no part of the
    blend can be tuned."""
    done = [Trial(**entry) for entry in journal.entries()]
    yield from done
    spaces = parts.tunable(config, matrix.shape[1])
    if not spaces:
        return
    spent = {part: [t.seconds for t in done if t.part == part] for part in spaces}
    limit = 60 * config.tuning.minutes
    share = limit * max(SHARE, 1 / len(spaces))
    end = time.monotonic() + limit - sum(trial.seconds for trial in done)
    for number in range(config.tuning.trials):
        for part, whole_space in spaces.items():
            before = [trial for trial in done if trial.part == part]
            longest = max(spent[part], default=0.0)
            late = time.monotonic() + longest > end or sum(spent[part]) + longest > share
            if len(before) > number or (number and (late or not whole_space)):
                continue
            space = whole_space
            if before:
                first, rank = before[0], min(matrix.shape)
                space = parts.affordable(space, first.settings, first.seconds, OF_A_SHARE * share, rank)
            trial = _tried(part, space, before, matrix, held_out, config, threads)
            journal.add(len(done), dataclasses.asdict(trial))
            done.append(trial)
            spent[part].append(trial.seconds)
            yield trial
    whole = [trial for trial in done if trial.users == len(held_out.users)]
    winners = [max((trial for trial in whole if trial.part == part), key=lambda trial: trial.value) for part in spaces]
    yield from _blended(winners, matrix, held_out, judges, config, threads)


def _tried(
    part: str,
    space: parts.Space,
    before: list[Trial],
    matrix: sp.csr_matrix,
    held_out: Held,
    config: Config,
    threads: int,
) -> Trial:
    """The next trial of a part; settings are drawn by the seed and what came `before`."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=config.seed + len(before)),
        pruner=optuna.pruners.WilcoxonPruner(p_threshold=WORSE),
        direction="maximize",
    )
    for trial in before:
        study.add_trial(_known(trial, space, len(held_out.users)))
    if not before:
        study.enqueue_trial(parts.at_hand(space, config))
    elif len(before) == 1 and (asked_for := parts.widest(space, before[0].settings)) != before[0].settings:
        study.enqueue_trial(asked_for)
    asked = study.ask()
    settings = {key: _suggested(asked, key, *bounds) for key, bounds in space.items()}
    started = time.monotonic()
    scores = parts.fitted(part, matrix, config.having(settings), threads)
    found: list[np.ndarray] = []
    for place, block in enumerate(held_out.blocks()):
        users = held_out.users[block]
        tops = heldout.best(heldout.masked(scores(users), matrix, users), config.tuning.k)
        found.append(heldout.ndcg(tops, held_out, block, config.tuning.k))
        asked.report(float(found[-1].mean()), place)
        if asked.should_prune():
            break
    every = np.concatenate(found)
    means = [float(values.mean()) for values in found]
    return Trial(part, settings, means, float(every.mean()), len(every), time.monotonic() - started)


def _known(trial: Trial, space: parts.Space, everyone: int) -> Any:
    """A trial as Optuna keeps it."""
    import optuna

    kinds: dict[bool, Any] = {True: optuna.distributions.IntDistribution, False: optuna.distributions.FloatDistribution}
    whole = trial.users == everyone
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.COMPLETE if whole else optuna.trial.TrialState.PRUNED,
        value=trial.value if whole else None,
        params=dict(trial.settings),
        distributions={key: kinds[isinstance(low, int)](low, high, log=log) for key, (low, high, log) in space.items()},
        intermediate_values=dict(enumerate(trial.values)),
    )


def _suggested(trial: Any, key: str, low: float, high: float, log: bool) -> float:
    suggest = trial.suggest_int if isinstance(low, int) else trial.suggest_float
    found: float = suggest(key, low, high, log=log)
    return found


def _blended(
    winners: list[Trial], matrix: sp.csr_matrix, held_out: Held, judges: Held, config: Config, threads: int
) -> Iterator[Trial]:
    """The best settings of each part and the weights of the blend, those given by hand as they are; then what the
    judges say of them and of the settings at hand."""
    started, k = time.monotonic(), config.tuning.k
    settings = {key: value for trial in winners for key, value in trial.settings.items()}
    fits = {trial.part: parts.fitted(trial.part, matrix, config.having(settings), threads) for trial in winners}
    if parts.BLEND in config.by_hand:
        given = {str(part): weight for part, weight in config.recommend.blend.items()}
        blend = {part: given[part] for part in fits}
        value = float(blending.reached(list(fits.values()), list(blend.values()), matrix, held_out, k).mean())
    else:
        weights, value = blending.learned(list(fits.values()), matrix, held_out, k)
        blend = {part: round(float(weight), 3) for part, weight in zip(fits, weights, strict=True)}
    settings[parts.BLEND] = blend
    yield Trial("", settings, [value], value, len(held_out.users), time.monotonic() - started)
    found, ours = _judged(settings, fits, matrix, judges, k, time.monotonic())
    del fits  # or there would be two of each part
    started, usual = time.monotonic(), parts.in_use(config)
    fits = {part: parts.fitted(part, matrix, config, threads) for part in usual[parts.BLEND]}
    at_hand, theirs = _judged(usual, fits, matrix, judges, k, started)
    yield from (at_hand, found) if blending.beyond_chance(ours - theirs, CLEAR) else (found, at_hand)


def _judged(
    settings: Mapping[str, Any],
    fits: Mapping[str, heldout.Scores],
    matrix: sp.csr_matrix,
    judges: Held,
    k: int,
    started: float,
) -> tuple[Trial, np.ndarray]:
    """Settings and a fit of each part of their blend, on the plays of the judges; NDCG@k float64 [judges]."""
    blend = {part: weight for part, weight in settings[parts.BLEND].items() if weight}
    values = blending.reached([fits[part] for part in blend], list(blend.values()), matrix, judges, k)
    value = float(values.mean())
    return Trial("", settings, [value], value, len(values), time.monotonic() - started, judged=True), values
