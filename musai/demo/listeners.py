"""The demo's listeners: simulated from stated tastes; nobody real, and nothing learnt from anybody.

Each listener is of one of five circles (below), has a share of taste for each kind of tune (Dirichlet around the
circle's), for each artist of a kind (Dirichlet) and a leaning to slow or minor tunes; tunes have a Zipf popularity.
The chance of a play is the product, with a little wandering by popularity alone. All is drawn by one seeded generator.
"""

import dataclasses
import datetime as dt
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from musai.demo.catalogue import Tune

SEED = 20251231
LISTENERS = 400
DAYS = 60
LAST_DAY = dt.date(2025, 12, 31)
FIRST_DAY = LAST_DAY - dt.timedelta(days=DAYS - 1)
PERIODS = 3  # of DAYS / PERIODS days each: tastes drift and tunes arrive from one to the next
SILENT_TUNES = 12  # have no listeners at all: new releases
LATE_TUNES = 24  # arrive with the second or the third period
BRIEF_LISTENERS = 40  # of 1 to 3 events
WANDERING = 0.08  # share of events by popularity alone
ZIPF_EXPONENT = 0.8
MEDIAN_EVENTS, EVENTS_SIGMA, MOST_EVENTS = 34, 0.85, 500  # log-normal

# Circles: share of listeners, and taste for each kind of tune (Dirichlet concentrations; .05 for kinds not named).
CIRCLES: dict[str, tuple[float, dict[str, float]]] = {
    "session players": (0.32, {"reel": 2.0, "jig": 1.6, "hornpipe": 1.0, "slip jig": 0.6}),
    "step dancers": (0.18, {"hornpipe": 1.2, "clog": 0.6, "strathspey": 1.2, "march": 0.7}),
    "slow airs": (0.18, {"air": 2.4, "slip jig": 0.5, "chorale": 0.4}),
    "concert goers": (0.20, {"classical": 1.8, "chorale": 1.4}),
    "a bit of all": (0.12, {"air": 0.5, "reel": 0.5, "classical": 0.5, "chorale": 0.5, "march": 0.4, "jig": 0.4}),
}
# Kinds whose share of plays changes over the 60 days, by this factor from the first day to the last.
TRENDS = {"chorale": 2.2, "march": 0.5}
SLOW_PACES = frozenset({"slow", "very slow", "tenderly", "moderate"})
HOUR_WEIGHTS = np.array([2, 1, 1, 1, 1, 2, 4, 6, 6, 5, 5, 5, 6, 6, 5, 5, 6, 8, 10, 12, 12, 10, 7, 4], float)
WEEKDAY_WEIGHTS = np.array([1.0, 1.0, 1.0, 1.05, 1.3, 1.5, 1.4])  # from Monday

# Ids in other scripts, by the listener's number: ids are the user's own text.
OTHER_SCRIPTS = {
    7: "слушатель-7",
    12: "聆听者-12",
    58: "听众 58",
    91: "ακροατής-91",
    133: "مستمع-133",
    170: "श्रोता-170",
    214: "청취자-214",
    256: "リスナー-256",
    301: "oyente-ñ-301",
    350: "слушатель-350",
}


@dataclasses.dataclass(frozen=True)
class Event:
    """One row of the listening log."""

    user_id: str
    track: int  # place in the list of tunes
    event: str  # play, like or skip
    plays: int
    second: int  # from the start of FIRST_DAY, UTC


def user_ids() -> list[str]:
    """The ids of all listeners, in order."""
    return [OTHER_SCRIPTS.get(number, f"listener-{number:04d}") for number in range(1, LISTENERS + 1)]


def simulate(tunes: Sequence[Tune], seed: int = SEED) -> list[Event]:
    """All events of all listeners in order of time; the same tunes and seed give the same events."""
    rng = np.random.default_rng(seed)
    popularity, first_period = _tracks(len(tunes), rng)
    taste = _tastes(tunes, rng)
    trend = _trends(tunes)
    wants = taste * popularity[None, :] ** 0.75
    events: list[Event] = []
    for listener, (user_id, count) in enumerate(zip(user_ids(), _activity(rng), strict=True)):
        seconds = _seconds(int(count), rng)
        periods = seconds // (DAYS * 86400 // PERIODS)
        wanders = rng.random(len(seconds)) < WANDERING
        tracks = np.empty(len(seconds), dtype=np.int64)
        for period in range(PERIODS):
            present = (first_period <= period) * trend[period]
            for wandering, weights in ((False, wants[listener]), (True, popularity)):
                chosen = (periods == period) & (wanders == wandering)
                tracks[chosen] = _draw(weights * present, int(chosen.sum()), rng)
        kinds = _kinds(wants[listener], tracks, wanders, rng)
        plays = np.where(kinds == "play", 1 + (rng.random(len(seconds)) < 0.15) + (rng.random(len(seconds)) < 0.04), 1)
        rows = zip(tracks.tolist(), kinds.tolist(), plays.tolist(), seconds.tolist(), strict=True)
        events.extend(Event(user_id, *row) for row in rows)
    return sorted(events, key=lambda event: (event.second, event.user_id, event.track))


def _tracks(count: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Zipf popularity (sum 1) and the period from which each of `count` tunes is there; PERIODS: never heard."""
    order = rng.permutation(count)
    popularity = np.empty(count)
    popularity[order] = np.arange(1, count + 1, dtype=float) ** -ZIPF_EXPONENT
    unheard = rng.permutation(count)[: SILENT_TUNES + LATE_TUNES]
    first_period = np.zeros(count, dtype=np.int64)
    first_period[unheard[:SILENT_TUNES]] = PERIODS
    first_period[unheard[SILENT_TUNES:]] = 1 + np.arange(LATE_TUNES) % (PERIODS - 1)
    return popularity / popularity.sum(), first_period


def _tastes(tunes: Sequence[Tune], rng: np.random.Generator) -> NDArray[np.float64]:
    """The taste of each listener for each tune, apart from popularity: LISTENERS x tunes, rows of mean about 1."""
    genres = sorted({tune.genre for tune in tunes})
    genre_of = np.array([genres.index(tune.genre) for tune in tunes])
    makers = sorted({(tune.genre, tune.artist) for tune in tunes})
    maker_of = np.array([makers.index((tune.genre, tune.artist)) for tune in tunes])
    tags = [set(tune.tags.split("|")) for tune in tunes]
    minor = np.array(["minor" in own or "dorian" in own for own in tags], dtype=float)
    slow = np.array([bool(own & SLOW_PACES) for own in tags], dtype=float)

    shares = np.array([share for share, _ in CIRCLES.values()])
    concentrations = np.array([[own.get(genre, 0.05) for genre in genres] for _, own in CIRCLES.values()])
    circle = np.searchsorted(np.cumsum(shares), rng.random(LISTENERS) * shares.sum())
    genre_taste = rng.standard_gamma(concentrations[circle])  # Dirichlet, up to the row's sum
    genre_taste /= genre_taste.sum(axis=1, keepdims=True)
    per_genre = np.bincount(genre_of, minlength=len(genres)) / len(tunes)
    maker_taste = rng.standard_gamma(0.7, size=(LISTENERS, len(makers))) + 0.05
    leanings = rng.normal(0.0, 0.7, size=(LISTENERS, 2))

    taste = genre_taste[:, genre_of] / per_genre[genre_of] * maker_taste[:, maker_of]
    return taste * np.exp(leanings[:, :1] * minor + leanings[:, 1:] * slow)


def _trends(tunes: Sequence[Tune]) -> NDArray[np.float64]:
    """The factor of each tune's chance in each period: PERIODS x tunes, by the middle of the period."""
    middles = (np.arange(PERIODS) + 0.5) / PERIODS
    change = np.array([TRENDS.get(tune.genre, 1.0) for tune in tunes])
    return change[None, :] ** middles[:, None]


def _activity(rng: np.random.Generator) -> NDArray[np.int64]:
    """Events of each listener: log-normal, and BRIEF_LISTENERS of 1 to 3."""
    counts = MEDIAN_EVENTS * np.exp(EVENTS_SIGMA * rng.standard_normal(LISTENERS))
    events = np.clip(np.rint(counts), 4, MOST_EVENTS).astype(np.int64)
    brief = rng.permutation(LISTENERS)[:BRIEF_LISTENERS]
    events[brief] = 1 + np.arange(BRIEF_LISTENERS) % 3
    return events


def _seconds(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` sorted times in seconds from FIRST_DAY: more in the evening and at the weekend; some join late."""
    joined = int(rng.random() * (DAYS - 10)) if rng.random() < 0.3 else 0
    days = np.arange(joined, DAYS)
    weekday = (FIRST_DAY.weekday() + days) % 7
    day = days[_draw(WEEKDAY_WEIGHTS[weekday], count, rng)]
    hour = _draw(HOUR_WEIGHTS, count, rng)
    return np.sort(day * 86400 + hour * 3600 + (rng.random(count) * 3600).astype(np.int64))


def _kinds(
    wants: NDArray[np.float64], tracks: NDArray[np.int64], wanders: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.str_]:
    """The event of each draw: what is far from a listener's taste is skipped more often, what is near liked."""
    chance = rng.random(len(tracks))
    near = wants[tracks] >= np.quantile(wants, 0.9)
    skipped = chance < np.where(wanders, 0.35, 0.02)
    liked = ~skipped & (chance > np.where(near & ~wanders, 0.90, 0.99))
    return np.where(skipped, "skip", np.where(liked, "like", "play"))


def _draw(weights: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` places, drawn with chances in proportion to `weights`, with replacement."""
    steps = np.cumsum(weights)
    return np.searchsorted(steps, rng.random(count) * steps[-1], side="right").clip(max=len(weights) - 1)
