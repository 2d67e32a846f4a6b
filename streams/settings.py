"""The settings: environment variables `GATEPULSE_SECTION__KEY` over a TOML file over these defaults.

Unknown keys are errors. `gatepulse config show` prints the result with secrets hidden.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(_Section):
    """The brokers."""

    brokers: str = Field("127.0.0.1:9092", description="host:port, several separated by commas")
    cluster: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_.:\-]{1,100}$",
        description="name of this incarnation of the brokers; if left out, the id that the brokers give",
    )
    group: str = Field("gatepulse", description="consumer group, and prefix of the changelog topics")
    partitions: Annotated[int, Field(ge=1, le=1024)] = Field(4, description="of each source topic")
    create_topics: bool = Field(
        default=True,
        description="create topics that are missing: all when a worker starts, those that workers write while it runs",
    )
    api_version: str | None = Field(
        None, pattern=r"^\d+(\.\d+)+$", description="for brokers that cannot tell theirs to kafka-python"
    )
    static_membership: bool = Field(
        default=True, description="a worker that restarts within the session takes its partitions back at once"
    )
    session_seconds: Seconds = Field(10, description="a silent worker's partitions go to others after this")

    @property
    def client(self) -> dict[str, Any]:
        """What kafka-python's clients need besides the address."""
        return {"api_version": tuple(map(int, self.api_version.split(".")))} if self.api_version else {}


class StoreSettings(_Section):
    """ClickHouse."""

    host: str = "127.0.0.1"
    port: Port = Field(9000, description="native protocol")
    user: str = "gatepulse"
    password: SecretStr = SecretStr("")
    reader: str = Field("reader", description="user of the wall and of verify; limited to the views")
    reader_password: SecretStr = SecretStr("")


class WorkerSettings(_Section):
    """One worker process."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")] = Field(
        "worker-1", description="unique in the group; a restart under the same name takes its partitions back"
    )
    flush_seconds: Seconds = Field(
        0.25, description="rows reach the store this often; while catching up as often as snapshots"
    )
    checkpoint_seconds: Seconds = Field(1.0, description="snapshots are written and offsets committed this often")
    most_waiting: Annotated[int, Field(ge=1000)] = Field(
        100_000, description="lines in memory that are not stored, by topic; above it reading waits"
    )
    stall_seconds: Seconds = Field(45, description="a worker that has work and does not get on for so long is ended")
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(9100, description="0: no metrics")
    data: Path = Field(Path(".gatepulse"), description="Faust's own folder")


class WallSettings(_Section):
    """The wall page."""

    host: str = "127.0.0.1"
    port: Port = 8080
    language: Literal["zh", "en"] = "zh"
    stale_after_seconds: Seconds = 5
    acknowledge: Literal["auto", "on", "off"] = Field(
        "auto", description="alarms at the displays, without a password; auto: if the wall listens on loopback alone"
    )


class ClockSettings(_Section):
    """The site's clock; a demonstration lets it run fast. Times in milliseconds since 1970 UTC."""

    site_ms: int = 0
    real_ms: int = 0
    speed: float = Field(1.0, gt=0, allow_inf_nan=False)


class TimeSettings(_Section):
    """Which event times are believed, and how late an event may come; in site time."""

    suspect_seconds: Seconds = Field(
        300, description="a device's clock may be wrong by this much; what contradicts more than that is set aside"
    )
    horizon_seconds: Seconds = Field(
        172_800, description="what comes later than this after its time goes to the late account, and into no figure"
    )


class LogSettings(_Section):
    """What the processes say."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(BaseSettings):
    """Everything that an installation may set."""

    model_config = SettingsConfigDict(env_prefix="GATEPULSE_", env_nested_delimiter="__", extra="forbid", frozen=True)

    site: str = Field("expo", description="a site profile: the name of one that we ship, or a TOML file")
    kafka: KafkaSettings = KafkaSettings()
    store: StoreSettings = StoreSettings()
    worker: WorkerSettings = WorkerSettings()
    wall: WallSettings = WallSettings()
    clock: ClockSettings = ClockSettings()
    time: TimeSettings = TimeSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # not wanted, nor is the next
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file over defaults."""
        file = os.environ.get("GATEPULSE_CONFIG")
        toml = (TomlConfigSettingsSource(settings_cls, Path(file)),) if file else ()
        return (init_settings, env_settings, *toml)


class WrongSettingsError(ValueError):
    """A setting is unknown or does not fit; each line names one, what was given, and what was expected."""


def load_settings() -> Settings:
    """Read the environment and the file named by GATEPULSE_CONFIG. Raises WrongSettingsError."""
    file = os.environ.get("GATEPULSE_CONFIG")
    if file and not Path(file).is_file():
        raise WrongSettingsError(f"GATEPULSE_CONFIG: {file}: there is no such file")
    _refuse_unknown_variables()
    try:
        return Settings()
    except ValidationError as error:
        raise WrongSettingsError("\n".join(map(_explain, error.errors()))) from None  # its text shows secrets
    except ValueError as error:
        raise WrongSettingsError(f"{file}: {error}") from error


def _keys() -> dict[str, Any]:
    """List every setting, `key` or `section.key`, with its type."""
    keys: dict[str, Any] = {}
    for name, each in Settings.model_fields.items():
        section = each.annotation
        if isinstance(section, type) and issubclass(section, _Section):
            keys |= {f"{name}.{key}": setting.annotation for key, setting in section.model_fields.items()}
        else:
            keys[name] = section
    return keys


def _variable(key: str) -> str:
    return "GATEPULSE_" + key.replace(".", "__").upper()


def _explain(error: Mapping[str, Any]) -> str:
    key, keys = ".".join(map(str, error["loc"])), _keys()
    if error["type"] == "extra_forbidden":
        section = key.rpartition(".")[0]
        inside = [each for each in keys if each.startswith(f"{section}.")]
        return f"{key}: not a setting; expected one of {', '.join(inside or Settings.model_fields)}"
    where = f"{key} (or {_variable(key)})" if key in keys else key
    shown = repr(error["input"]) if keys.get(key, SecretStr) is not SecretStr else "what is given"
    return f"{where}: {shown} does not fit: {error['msg']}"


def _refuse_unknown_variables() -> None:
    """Pydantic passes over most unknown variables; a slip of the pen must not go unnoticed."""
    known = ["GATEPULSE_CONFIG", *map(_variable, _keys())]
    for variable in os.environ:
        if variable.upper().startswith("GATEPULSE_") and variable.upper() not in known:
            near = difflib.get_close_matches(variable.upper(), known, n=1, cutoff=0)
            raise WrongSettingsError(
                f"{variable}: not a setting; did you mean {near[0]}? `gatepulse config show` lists all of them"
            )
