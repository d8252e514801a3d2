"""Moments and numbers as the listening log writes them."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import functions as F

from musai.interactions import rules

UTC = dt.UTC
LOCAL = {  # in the time zone of the session
    "2021-02-03": (2021, 2, 3),
    " 2021-02-03 ": (2021, 2, 3),
    "2021-02-03T10:20:30": (2021, 2, 3, 10, 20, 30),
    "2021-02-03 10:20:30": (2021, 2, 3, 10, 20, 30),
    "2021-02-03t10:20": (2021, 2, 3, 10, 20),
    "2021-02-03T10:20:30.5": (2021, 2, 3, 10, 20, 30, 500_000),
    "2021-02-03T10:20:30,123456789": (2021, 2, 3, 10, 20, 30, 123_456),
    "20210203T102030": (2021, 2, 3, 10, 20, 30),
    "20210203T1020": (2021, 2, 3, 10, 20),
    "2020-02-29": (2020, 2, 29),
    "2021-10-31T02:30:00": (2021, 10, 31, 2, 30),  # twice in Berlin: the first
    "0001-01-01": (1, 1, 1),
    "9999-12-31T23:59:59.999999": (9999, 12, 31, 23, 59, 59, 999_999),
}
SHIFTED = {  # minutes east of Greenwich
    "2021-02-03T10:20:30Z": 0,
    "2021-02-03T10:20:30z": 0,
    "2021-02-03 10:20:30 UTC": 0,
    "2021-02-03 10:20:30GMT": 0,
    "2021-02-03T10:20:30+05:30": 330,
    "2021-02-03T10:20:30 +0530": 330,
    "2021-02-03T10:20:30-05": -300,
    "20210203T102030Z": 0,
    "20210203T102030.0+0100": 60,
    "2021-02-03T10:20:30.000000+14:00": 840,
}
SECONDS = {
    "1612347630": 1_612_347_630_000_000,
    "1612347630.25": 1_612_347_630_250_000,
    " 1612347630.1234567\t": 1_612_347_630_123_457,
    "1.61234763E9": 1_612_347_630_000_000,
    "-1": -1_000_000,
    "0": 0,
    "20210203": 20_210_203_000_000,
    "1612347630123": 1_612_347_630_123_000_000,  # milliseconds: far in the future
}
UNREADABLE = [
    *("2021-02-30", "2021-02-29", "2021-13-01", "2021-00-10", "2021-04-31T10:00:00Z", "2021-02-03T24:00:00"),
    *("2021-02-03T23:59:60", "2021-02-03T25:00", "2021-02-03T10:60", "2021-02-03T10:20:30+25:00", "T12:30", "12:30"),
    *("2021-02", "2021-2-3", "2021-02-03T", "2021-02-03T10", "+2021-02-03", "2021-02-03T10:20:30.", "20210203T10203"),
    *(
        "9" * 5000,
        "0" * 101,
        "today",
        "now",
        "epoch",
        "yesterday",
        "infinity",
        "NaN",
        "null",
        "0x10",
        "1612347630d",
        "1612347630L",
        "1e300",
    ),
    *(
        "9" * 20,
        "9" * 31,
        "9" * 40,
        "9" * 100_000 + "x",
        "2021-02-03T10:20:30 Europe/Berlin",
        "٢٠٢١-02-03",
        "2021/02/03",
    ),
    *(
        "2021-W05-3",
        "2021-034",
        "2021-0203",
        "03.02.2021",
        "2021-02-03T10:20:30Z[UTC]",
        "--",
        "-",
        ".",
        "+",
        "e5",
        "1_0",
    ),
    *("2021-02-03T10:20:30+0", "2021-02-03T10:20:30++01:00", "2021-02-03T10:20:30+01:00:00", "Z", "2021-02-03Z"),
]


def moments(spark, zone: str, texts: list[str]) -> list[int | None]:
    spark.conf.set("spark.sql.session.timeZone", zone)
    try:
        frame = spark.createDataFrame(list(enumerate(texts)), "number int, t string")
        parsed = frame.select("number", F.expr(f"unix_micros({rules.moment('t')})").alias("at"))
        return [row["at"] for row in sorted(parsed.collect())]
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


def micros(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=UTC)) // dt.timedelta(microseconds=1)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Shanghai", "America/St_Johns"])
def test_moments(spark, zone: str) -> None:
    expected: dict[str, int | None] = dict(SECONDS)
    expected |= {text: micros(dt.datetime(*parts, tzinfo=ZoneInfo(zone))) for text, parts in LOCAL.items()}
    wall = micros(dt.datetime(2021, 2, 3, 10, 20, 30, tzinfo=UTC))
    expected |= {text: wall - minutes * 60_000_000 for text, minutes in SHIFTED.items()}
    expected |= dict.fromkeys(UNREADABLE)
    found = dict(zip(expected, moments(spark, zone, list(expected)), strict=True))
    assert found == expected


def test_a_time_that_a_change_of_clocks_leaves_out_is_the_one_an_hour_later(spark) -> None:
    (found,) = moments(spark, "Europe/Berlin", ["2021-03-28T02:30:00"])
    assert found == micros(dt.datetime(2021, 3, 28, 1, 30, tzinfo=UTC))


def test_numbers_of_plays(spark) -> None:
    expected = {
        "1": 1.0, "+2": 2.0, " 3.5 ": 3.5, ".5": 0.5, "4.": 4.0, "1e3": 1000.0, "1E-3": 0.001, "007": 7.0, "-0": -0.0,
        "1e999": float("inf"), "inf": float("inf"), "-Infinity": float("-inf"), '"Infinity"': float("inf"),
        "": 1.0, "  ": 1.0, "\u3000": 1.0, None: 1.0,
        **dict.fromkeys(["x", "1d", "1f", "1L", "0x1", "0b1", "1_000", "1,5", "1 2", "--1", "1e", "e1", "٣", '"1"']),
        **dict.fromkeys([".", "1" * 100_000 + "x", "1." + "1" * 100_000 + "x", "null", "None", "true"]),
    }  # fmt: skip
    frame = spark.createDataFrame(list(enumerate(expected)), "number int, plays string")
    parsed = frame.select("number", F.expr(rules._plays({"plays": "string"})).alias("x"))
    found = [row["x"] for row in sorted(parsed.collect())]
    assert dict(zip(expected, found, strict=True)) == expected
    nans = spark.createDataFrame([(t,) for t in ("nan", "NaN", " NAN ", '"NaN"')], "plays string")
    assert nans.select(F.expr(f"isnan({rules._plays({'plays': 'string'})})").alias("x")).distinct().collect() == [
        (True,)
    ]
