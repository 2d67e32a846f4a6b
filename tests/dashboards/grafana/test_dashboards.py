"""The dashboards are well formed: what Grafana would refuse, hide or show wrong is found here."""

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.grafana.files import _visible, dashboards_of
from dashboards.grafana.theme import COLOURS
from streams.site.model import Site
from tests.dashboards.grafana.boards import EXPO, PERSONS_ONLY, SITES, VEHICLES_ONLY, everything, panel_queries

BOARDS = dashboards_of(EXPO)
COUNTS = [board for board in BOARDS if board["uid"] != "gatepulse-health"]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
LATIN = re.compile(r"[A-Za-z]{2}")

each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board["uid"])


def test_there_are_five_dashboards_with_names_of_their_own() -> None:
    assert [board["uid"] for board in BOARDS] == [
        f"gatepulse-{name}" for name in ("wall", "entrances", "vehicles", "areas", "health")
    ]
    assert len({board["title"] for board in BOARDS}) == len(BOARDS)


@pytest.mark.parametrize(("site", "lacking"), [(PERSONS_ONLY, "vehicles"), (VEHICLES_ONLY, "entrances")])
def test_a_site_of_one_kind_has_no_dashboard_for_the_other(site: Site, lacking: str) -> None:
    uids = [board["uid"] for board in dashboards_of(site)]
    assert f"gatepulse-{lacking}" not in uids
    assert len(uids) == 4


@each_board
def test_titles_and_descriptions_are_in_both_languages(board: dict[str, Any]) -> None:
    said = [board["title"], board["description"]]
    said += [text for panel in board["panels"] for text in (panel["title"], panel["description"])]
    said += [variable["label"] for variable in board.get("templating", {}).get("list", [])]
    said += [link["title"] for link in board["links"]]
    for text in said:
        assert CHINESE.search(text), text
        assert LATIN.search(text), text


@each_board
def test_panels_have_numbers_of_their_own_and_units(board: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in board["panels"]]
    assert numbers == list(range(1, len(numbers) + 1))
    for panel in board["panels"]:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_panels_fill_the_grid_without_a_gap_and_none_lies_on_another(site: Site) -> None:
    for board in dashboards_of(site):
        filled(board["panels"])


def filled(panels: list[dict[str, Any]]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        for column in range(place["x"], place["x"] + place["w"]):
            for row in range(place["y"], place["y"] + place["h"]):
                other = taken.setdefault((column, row), panel["title"])
                assert other == panel["title"]
    height = max(row for _, row in taken) + 1
    assert len(taken) == 24 * height


def test_the_wall_fits_on_one_screen() -> None:
    [wall] = [board for board in BOARDS if board["uid"] == "gatepulse-wall"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in wall["panels"])
    assert rows * 38 <= 1080  # a row is 30 pixels and a gap of 8


@each_board
def test_it_is_asked_again_every_five_seconds_at_most_and_in_the_sites_time(board: dict[str, Any]) -> None:
    assert int(board["refresh"].removesuffix("s")) >= 5
    assert board["timezone"] == EXPO.time_zone
    assert board["editable"] is False


@pytest.mark.parametrize("board", COUNTS, ids=lambda board: board["uid"])
def test_every_dashboard_with_counts_says_first_how_old_and_how_complete_they_are(board: dict[str, Any]) -> None:
    first = {panel["title"]: panel for panel in board["panels"] if panel["gridPos"]["y"] == 0}
    assert list(first) == [
        "数据截至 / As of",
        "数据延迟 / Data age",
        "已知缺失事件 / Known missing events",
        "不完整：丢失记录 / Incomplete: records lost",
        "未解除报警 / Open alarms",
    ]
    assert first["数据延迟 / Data age"]["fieldConfig"]["defaults"]["unit"] == "s"


@pytest.mark.parametrize("board", COUNTS, ids=lambda board: board["uid"])
def test_alarms_are_marked_in_the_colours_of_their_levels(board: dict[str, Any]) -> None:
    marks = board["annotations"]["list"]
    assert [each["iconColor"] for each in marks] == [COLOURS[level] for level in ("yellow", "orange", "red")]


@each_board
def test_it_links_to_the_others_by_a_tag_that_it_has_too(board: dict[str, Any]) -> None:
    [link] = board["links"]
    assert (link["type"], link["keepTime"], link["includeVars"]) == ("dashboards", True, True)
    assert set(link["tags"]) <= set(board["tags"])
    assert "placement" not in link  # that would be a menu


@each_board
def test_variables_that_are_used_are_those_that_there_are(board: dict[str, Any]) -> None:
    declared = {variable["name"] for variable in board.get("templating", {}).get("list", [])}
    assert set(re.findall(r"\$\{(\w+)(?::\w+)?\}", json.dumps(board["panels"]))) - {"__field"} == declared


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_queries_have_the_form_of_the_plugin_and_ask_public_views_only(site: Site) -> None:
    for query in panel_queries(site):
        target = query.target
        assert {"editorType": "sql", "pluginVersion": "4.15.0"}.items() <= target.items()
        assert (target["queryType"], target["format"]) in {("table", 1), ("timeseries", 0)}
        tables = re.findall(r"\b(?:FROM|JOIN)\s+(?!\()(\S+)", target["rawSql"])
        assert tables
        assert [table for table in tables if not table.startswith("gatepulse.")] == [], query
        if target["queryType"] == "timeseries":
            assert " AS time" in target["rawSql"], query


def test_no_bucket_is_finer_than_the_minutes_that_are_stored() -> None:
    for board in BOARDS:
        for panel in board["panels"]:
            if panel["targets"][0].get("queryType") == "timeseries":
                assert panel["interval"] == "1m"


def test_fullness_is_coloured_at_80_90_and_100_per_cent() -> None:
    limits = [
        [step.get("value") for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]][1:]
        for board in BOARDS
        for panel in board["panels"]
        if "80" in panel["description"] and panel["type"] != "table"
    ]
    assert len(limits) >= 5
    assert all(each == [80, 90, 100] for each in limits)
    [inside] = [panel for panel in BOARDS[0]["panels"] if panel["title"].endswith("inside now")]
    defaults = inside["fieldConfig"]["defaults"]
    assert (defaults["thresholds"]["mode"], defaults["min"], defaults["max"]) == ("percentage", 0, 130_000)


@each_board
def test_it_comes_back_whole_from_the_sdks_own_models(board: dict[str, Any]) -> None:
    register_default_plugins()
    again = _visible(json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder)))
    assert again == board


@each_board
def test_choices_are_the_sites_things_and_nothing_else(board: dict[str, Any]) -> None:
    for variable in board.get("templating", {}).get("list", []):
        ids = re.findall(r" : ([^,]+)(?:, |$)", variable["query"])
        assert ids
        assert set(ids) <= set(everything(EXPO)[variable["name"]])
        assert variable["allowCustomValue"] is False
        assert variable["current"]["value"] == ["$__all"]


def test_rows_are_in_order_of_reading() -> None:
    for board in BOARDS:
        places = [(panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in board["panels"]]
        assert all(before < after for before, after in pairwise(places))
