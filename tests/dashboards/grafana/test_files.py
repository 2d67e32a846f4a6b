"""The built files are those that the code makes, byte for byte, and hold no password."""

import json
from pathlib import Path

import pytest

from dashboards.grafana.files import Sources, differences, files_of, write
from streams.site.reader import load_site
from tests.support.small_site import SITE

KEPT = Path(__file__).parents[3] / "dashboards" / "grafana" / "build"
SOURCES = Sources()


def test_the_kept_files_are_those_of_the_expo() -> None:
    assert differences(KEPT, files_of(load_site("expo"), SOURCES)) == []


def test_the_same_site_gives_the_same_bytes() -> None:
    assert files_of(SITE, SOURCES) == files_of(SITE, SOURCES)


def test_files_are_sorted_json_with_a_newline_at_the_end() -> None:
    for text in files_of(SITE, SOURCES).values():
        assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def test_the_data_sources_are_those_that_the_panels_ask() -> None:
    files = files_of(SITE, Sources(host="store", port=9440, user="wall", prometheus="http://p:9090"))
    store, metrics = json.loads(files["provisioning/datasources/gatepulse.yaml"])["datasources"]
    asked = {
        (target["datasource"]["type"], target["datasource"]["uid"])
        for name, text in files.items()
        if name.startswith("dashboards/")
        for panel in json.loads(text)["panels"]
        for target in panel["targets"]
    }
    assert asked == {(store["type"], store["uid"]), (metrics["type"], metrics["uid"])}
    assert (store["jsonData"]["host"], store["jsonData"]["port"], store["jsonData"]["username"]) == (
        "store",
        9440,
        "wall",
    )
    assert metrics["url"] == "http://p:9090"


def test_the_password_comes_from_grafanas_environment() -> None:
    text = files_of(SITE, SOURCES)["provisioning/datasources/gatepulse.yaml"]
    [store, _] = json.loads(text)["datasources"]
    assert store["secureJsonData"] == {"password": "$__env{GATEPULSE_STORE__READER_PASSWORD}"}


def test_what_is_missing_old_or_left_over_is_named(tmp_path: Path) -> None:
    files = files_of(SITE, SOURCES)
    write(tmp_path, files)
    assert differences(tmp_path, files) == []
    dashboards = tmp_path / "dashboards"
    (dashboards / "gatepulse-wall.json").unlink()
    (dashboards / "gatepulse-areas.json").write_text("{}", encoding="utf-8")
    (dashboards / "gatepulse-former.json").write_text("{}", encoding="utf-8")
    (dashboards / "other.json").write_text("{}", encoding="utf-8")
    said = [sentence.removeprefix(f"{dashboards}/").split(" /")[0] for sentence in differences(tmp_path, files)]
    assert sorted(said) == [
        "gatepulse-areas.json: differs from what would be built",
        "gatepulse-former.json: is no longer built",
        "gatepulse-wall.json: is missing",
    ]
    write(tmp_path, files)
    assert differences(tmp_path, files) == []
    assert (dashboards / "other.json").exists()  # not ours


@pytest.mark.parametrize("name", ["wall", "areas"])
def test_another_site_gives_other_files(name: str) -> None:
    path = f"dashboards/gatepulse-{name}.json"
    assert files_of(SITE, SOURCES)[path] != files_of(load_site("expo"), SOURCES)[path]
