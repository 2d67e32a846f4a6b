"""Compares the installed packages with what the project asks for (the doctor shows it)."""

import re
from importlib import metadata

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(?P<bounds>[^;]*)(?:;(?P<marker>.*))?")
_BOUND = re.compile(r"(?P<sign>==|>=|<=|!=|<|>|~=)\s*(?P<version>[0-9][0-9A-Za-z.+!-]*)")


def misfits(distribution: str) -> list[str]:
    """Return one sentence for each requirement of an installed distribution that is not met; extras are left out."""
    sentences = []
    for text in metadata.requires(distribution) or ():
        found = _REQUIREMENT.fullmatch(text.strip())
        if found is None or "extra" in (found["marker"] or ""):
            continue
        name, bounds = found["name"], found["bounds"].strip()
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            sentences.append(f"{name} {bounds} is not installed")
            continue
        if not fits(installed, bounds):
            sentences.append(f"{name} {installed} is installed, {bounds} is wanted")
    return sentences


def fits(version: str, bounds: str) -> bool:
    """Whether a version lies within bounds such as ">=2.3,<2.5"; versions are compared by their numbers."""
    return all(_holds(numbers(version), bound["sign"], numbers(bound["version"])) for bound in _BOUND.finditer(bounds))


def numbers(version: str) -> tuple[int, ...]:
    """Return the release numbers of a version, without trailing zeros: "2.10.0rc1" is (2, 10)."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    parts = [int(part) for part in release[0].split(".")] if release else []
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _holds(version: tuple[int, ...], sign: str, bound: tuple[int, ...]) -> bool:
    if sign == "~=":
        return version >= bound and version[: len(bound) - 1] == bound[:-1]
    return {
        "==": version == bound,
        "!=": version != bound,
        ">=": version >= bound,
        "<=": version <= bound,
        ">": version > bound,
        "<": version < bound,
    }[sign]
