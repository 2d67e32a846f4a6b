"""A wrong site profile is refused with every mistake, its line and key; the built-in profiles are valid."""

import datetime as dt

import pytest

from streams.site.model import Site
from streams.site.reader import SiteError, builtin_sites, describe_site, load_site, parse_site
from streams.site.toml_lines import key_lines
from tests.support.small_site import ORGANISATION, entrance

SMALL = f"""\
id = "small"
title = {{ zh = "小", en = "Small" }}
time_zone = "Asia/Shanghai"
[opening]
daily = "08:00-18:00"
sun = "closed"
{ORGANISATION}\
[[area]]
id = "venue"
title = {{ zh = "馆", en = "Venue" }}
capacity = {{ person = 100 }}
{entrance("N1", "北", "North", lanes=3)}"""

ANOTHER_ENTRANCE = entrance("N2", "北", "North", lanes=None)


def mistakes(text: str) -> list[str]:
    with pytest.raises(SiteError) as raised:
        parse_site(text, source="small.toml")
    return str(raised.value).splitlines()


def small() -> Site:
    return parse_site(SMALL, source="small.toml")


def test_a_right_profile_is_read_into_its_parts() -> None:
    site = small()
    assert site.entrance("N1").lanes == ("N1-L01", "N1-L02", "N1-L03")
    assert site.entrance("N1").boundary
    assert site.area("venue").capacity == {"person": 100}
    assert site.area("venue").kinds == ("person",)
    assert (site.zones[0].unit, site.units[0].grid) == ("U", "G")
    assert site.categories_of("person")[0].colour == "#22c55e"
    assert site.categories_of("vehicle") == ()


def test_opening_hours_have_exceptions_by_weekday() -> None:
    opening = small().opening
    assert opening.on(dt.date(2021, 11, 6)) == (8 * 60, 18 * 60)
    assert opening.on(dt.date(2021, 11, 7)) is None


def starting(at: str, hours: str = "08:00-18:00") -> str:
    """Return the small profile with days that begin at another time, and other hours."""
    return SMALL.replace('daily = "08:00-18:00"', f'daily = "{hours}"').replace(
        "[opening]", f'day_starts = "{at}"\n[opening]'
    )


@pytest.mark.parametrize(
    ("at", "hours", "read"),
    [
        ("04:00", "17:00-02:00", (17 * 60, 26 * 60)),
        ("04:00", "17:00-04:00", (17 * 60, 28 * 60)),
        ("04:00", "17:00-24:00", (17 * 60, 24 * 60)),
        ("04:00", "04:00-04:00", (4 * 60, 28 * 60)),
        ("04:00", "00:30-03:00", (24 * 60 + 30, 27 * 60)),  # after midnight, as the day has not ended
        ("12:00", "12:00-11:45", (12 * 60, 35 * 60 + 45)),
        ("00:00", "00:00-24:00", (0, 24 * 60)),
    ],
)
def test_a_day_that_begins_later_may_be_open_past_midnight(at: str, hours: str, read: tuple[int, int]) -> None:
    site = parse_site(starting(at, hours), source="small.toml")
    assert site.opening.on(dt.date(2021, 11, 6)) == read
    assert site.day_starts == int(at[:2]) * 60


def test_hours_of_a_day_are_moments_of_the_sites_clock() -> None:
    site = parse_site(starting("04:00", "17:00-02:00"), source="small.toml")
    opens, closes = site.hours(dt.date(2021, 11, 6)) or (0, 0)
    assert [dt.datetime.fromtimestamp(ms / 1000, site.days.zone).isoformat() for ms in (opens, closes)] == [
        "2021-11-06T17:00:00+08:00",
        "2021-11-07T02:00:00+08:00",
    ]
    assert site.hours(dt.date(2021, 11, 7)) is None


@pytest.mark.parametrize(
    ("at", "hours", "said"),
    [
        ("04:10", "08:00-18:00", "4: day_starts: expected a quarter of an hour from '00:00' to '12:00', found '04:10'"),
        ("12:15", "12:15-18:00", "4: day_starts: expected a quarter of an hour from '00:00' to '12:00', found '12:15'"),
        ("4:00", "08:00-18:00", "4: day_starts: expected a quarter of an hour from '00:00' to '12:00', found '4:00'"),
        ("01:00", "17:00-02:00", "6: opening.daily: expected opening hours like '07:00-20:00' (until 01:00 at most"),
        ("04:00", "03:00-09:00", "6: opening.daily: expected opening hours like '07:00-20:00' (until 04:00 at most"),
        ("04:00", "08:00-08:00", "6: opening.daily: expected opening hours like '07:00-20:00' (until 04:00 at most"),
        ("00:00", "17:00-02:00", "6: opening.daily: expected opening hours like '07:00-20:00' (until 24:00 at most"),
    ],
)
def test_a_day_and_its_hours_must_fit(at: str, hours: str, said: str) -> None:
    assert any(line.startswith(f"small.toml:{said}") for line in mistakes(starting(at, hours))), mistakes(
        starting(at, hours)
    )


def test_hours_past_midnight_say_what_they_need() -> None:
    (found,) = mistakes(SMALL.replace("08:00-18:00", "17:00-02:00"))
    assert found.endswith(
        "(until 24:00 at most, when the day ends), or 'closed', found '17:00-02:00'; "
        "a day that ends after midnight needs day_starts"
    )


def test_a_plan_goes_on_past_midnight_until_the_day_ends() -> None:
    plan = 'expected = { "22:00" = 600, "00:30" = 60, "02:00" = 0 }\n'
    site = parse_site(starting("04:00", "17:00-02:00") + plan, source="small.toml")
    course = site.entrance("N1").plan.course() * 60
    assert len(course) == 1440
    assert course[[18 * 60 - 1, 18 * 60, 20 * 60 + 29, 20 * 60 + 30, 22 * 60 - 1, 22 * 60]].tolist() == [
        0,
        600,
        600,
        60,
        60,
        0,
    ]


def test_an_unknown_area_is_named_with_its_line_and_key() -> None:
    found = mistakes(SMALL.replace('inner = "venue"', 'inner = "hall9"'))
    assert "small.toml:32: entrance[0].inner: 'hall9' is not an area; areas are outside, venue" in found


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('id = "small"', 'id = "sm all"', "small.toml:1: id: expected an id of 1 to 64 letters"),
        ('id = "small"', "id = 7", "small.toml:1: id: expected an id of 1 to 64 letters"),
        ('en = "Small"', 'en = " "', "small.toml:2: title.en: expected an English title, found only blanks"),
        (
            "Asia/Shanghai",
            "Asia/Atlantis",
            "small.toml:3: time_zone: expected a known time zone like 'Asia/Shanghai', found 'Asia/Atlantis'",
        ),
        ("08:00-18:00", "18:00-08:00", "small.toml:5: opening.daily: expected opening hours"),
        ('sun = "closed"', 'sunday = "closed"', "small.toml:6: opening.sunday: is not a known key"),
        ('unit = "U"', 'unit = "V"', "small.toml:9: zone[0].unit: 'V' is not a unit; units are U"),
        ('grid = "G"', 'grid = "H"', "small.toml:17: unit[0].grid: 'H' is not a grid; grids are G"),
        ("#22c55e", "green", "small.toml:22: category[0].colour: expected a colour like"),
        ('id = "venue"', 'id = "outside"', "small.toml:24: area[0].id: 'outside' is always there"),
        (
            "person = 100",
            "person = 0",
            "small.toml:26: area[0].capacity.person: expected a whole number above 0",
        ),
        ("person = 100", "person = true", "small.toml:26: area[0].capacity.person: expected a whole number"),
        ("person = 100", "dog = 100", "small.toml:26: area[0].capacity.dog: is not a known key"),
        (
            "{ person = 100 }",
            "{ vehicle = 100 }",
            "small.toml:32: entrance[0].inner: 'venue' holds no persons",
        ),
        ('kind = "person"', 'kind = "robot"', "small.toml:30: entrance[0].kind: expected one of 'person'"),
        ('outer = "outside"', 'outer = "venue"', "small.toml:32: entrance[0].inner: joins 'venue' to itself"),
        ('outer = "outside"', 'outer = "venue"', "small.toml:23: area[0]: no person can get into 'venue'"),
        ('inner = "venue"', 'inner = "outside"', "small.toml:32: entrance[0].inner: 'outside' can only be"),
        ('zone = "Z"', 'zone = "Y"', "small.toml:33: entrance[0].zone: 'Y' is not a zone; zones are Z"),
        ("lanes = 3", "lanes = 0", "small.toml:34: entrance[0].lanes: expected 1 to 999 lanes, found 0"),
        ("lanes = 3", "lanes = []", "small.toml:34: entrance[0].lanes: expected a number of lanes"),
        ("lanes = 3", 'lanes = ["a b"]', "small.toml:34: entrance[0].lanes: 'a b' is no device id"),
        ("lanes = 3", "", "small.toml:27: entrance[0].lanes: is missing"),
        (
            '[[category]]\nid = "visitor"',
            '[[vehicle_class]]\nid = "car"',
            "small.toml:1: category: is missing",
        ),
        ('[opening]\ndaily = "08:00-18:00"\nsun = "closed"', "", "small.toml:1: opening: is missing"),
        ("lanes = 3", "lanes = = 3", "small.toml:34: the profile: is not TOML"),
    ],
)
def test_each_mistake_says_where_it_is_and_what_was_expected(right: str, wrong: str, said: str) -> None:
    assert any(line.startswith(said) for line in mistakes(SMALL.replace(right, wrong, 1))), mistakes(
        SMALL.replace(right, wrong, 1)
    )


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    broken = SMALL.replace("Asia/Shanghai", "Mars").replace("#22c55e", "red").replace('zone = "Z"', 'zone = "Y"')
    lines = [int(line.split(":")[1]) for line in mistakes(broken)]
    assert lines == [3, 22, 33]


def test_an_id_or_a_device_that_is_taken_names_who_has_it() -> None:
    same_id = SMALL + ANOTHER_ENTRANCE.replace("N2", "N1") + "lanes = ['X']\n"
    assert mistakes(same_id) == ["small.toml:36: entrance[1].id: id 'N1' is already taken by entrance[0].id on line 28"]
    same_device = SMALL + ANOTHER_ENTRANCE + "lanes = ['N1-L02']\n"
    assert mistakes(same_device) == [
        "small.toml:42: entrance[1].lanes: device 'N1-L02' is already taken by entrance[0].lanes on line 34"
    ]


def test_lanes_can_be_a_count_a_pattern_or_a_list() -> None:
    by_pattern = parse_site(
        SMALL + ANOTHER_ENTRANCE + 'lanes = { count = 2, device = "B{lane:03}" }\n', source="small.toml"
    )
    assert by_pattern.entrance("N2").lanes == ("B001", "B002")
    by_list = parse_site(SMALL + ANOTHER_ENTRANCE + 'lanes = ["left", "right"]\n', source="small.toml")
    assert by_list.entrance("N2").lanes == ("left", "right")


def test_a_profile_that_is_not_there_tells_which_ones_are() -> None:
    with pytest.raises(SiteError, match=r"a profile that comes along: .*expo"):
        load_site("no-such-site")


def test_lines_are_found_through_arrays_of_tables_and_values_that_span_lines() -> None:
    text = 'a = """\n[x]\n"""\n[[t]]\nb = [\n  1,\n  2,\n]\n[t.sub]\nc = { d = 1 }\n[[t]]\nb = []\ne.f = 1\n'
    lines = key_lines(text)
    assert lines[("a",)] == 1
    assert lines[("t", 0)] == 4
    assert lines[("t", 0, "b", 1)] == 5
    assert lines[("t", 0, "sub", "c", "d")] == 10
    assert lines[("t", 1, "e", "f")] == 13


@pytest.mark.parametrize("name", builtin_sites())
def test_every_builtin_profile_is_right(name: str) -> None:
    site = load_site(name)
    assert site.id == name
    assert describe_site(site).startswith(f"{name}: ")


def test_the_expo_has_the_numbers_of_its_documents() -> None:
    site = load_site("expo")
    gates = [each for each in site.entrances if each.kind == "person" and each.boundary]
    halls = [area for area in site.areas if area.id.startswith("hall")]
    roads = [each for each in site.entrances if each.kind == "vehicle" and each.boundary]
    assert (len(gates), sum(len(gate.lanes) for gate in gates)) == (20, 200)
    assert len(halls) == 8
    assert all(area.capacity["person"] == 10_000 and area.comfort["person"] == 8_000 for area in halls)
    assert all(any(door.inner == hall.id for door in site.entrances) for hall in halls)
    assert len(roads) == 6
    assert (len(site.categories), len(site.grids), len(site.units)) == (6, 3, 10)
    assert "N3-L07" in site.entrance("N3").lanes


def test_a_profile_has_no_more_lanes_areas_and_categories_than_a_log_can_remember() -> None:
    lanes = "".join(ANOTHER_ENTRANCE.replace("N2", f"M{n}") + "lanes = 999\n" for n in range(21))
    assert [each for each in mistakes(SMALL + lanes) if "20982 lanes; a profile has 20480 at most" in each]
    category = '[[category]]\nid = "c{}"\ntitle = {{ zh = "客", en = "Visitor" }}\ncolour = "#22c55e"\n'
    many = "".join(category.format(n) for n in range(64))
    [mistake] = mistakes(SMALL + many)
    assert mistake.endswith("there are 65 of these; a profile has 64 at most: make it several sites")
    assert len(parse_site(SMALL + many[: many.rindex("[[")], source="small.toml").categories) == 64
