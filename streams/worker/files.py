"""Replaces small files of a worker atomically."""

import json
import os
from pathlib import Path


def replace_json(file: Path, value: object) -> None:
    """Write a file as a whole: who reads it meanwhile, or after a crash, sees the old one or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_text(json.dumps(value, sort_keys=True))
    fresh.replace(file)
