"""No two classes of the project have the same name."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = ("dashboards", "infra", "simulators", "sinks", "streams")


def classes() -> dict[str, list[str]]:
    """Return the places of every class of the product by its name."""
    found = defaultdict(list)
    for folder in PRODUCT:
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ClassDef):
                    found[node.name].append(f"{file.relative_to(ROOT)}:{node.lineno}")
    return found


def test_no_two_classes_have_the_same_name() -> None:
    assert {name: places for name, places in classes().items() if len(places) > 1} == {}
