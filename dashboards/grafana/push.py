"""Sends dashboards to a running Grafana through its HTTP API, for those who cannot put files on its machine."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError, GrafanaException, GrafanaUnauthorizedError

from dashboards.grafana.frame import FOLDER_TITLE, FOLDER_UID

_SECONDS = 15.0


class PushError(RuntimeError):
    """Grafana did not accept the dashboards; the message says why and what to do, and never contains the token."""


class WrongAddressError(ValueError):
    """The address of Grafana cannot be used; the message says what is expected."""


def push(url: str, token: str, dashboards: Sequence[Mapping[str, Any]]) -> list[str]:
    """Create the folder if it is not there, and put the dashboards into it over older ones; return their addresses.

    Raises WrongAddressError for an address that is none, PushError when Grafana cannot be reached or refuses.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
        shown = f"{parts.scheme}://{parts.hostname}" if parts.hostname else url
        raise WrongAddressError(
            f"--url {shown}: expected http://host:port or https://host/path, without a user, a password or a query"
        )
    grafana = GrafanaApi.from_url(url, credential=token, timeout=_SECONDS)
    with _push_errors(url):
        _ensure_folder(grafana)
        return [_put(grafana, board) for board in dashboards]


def _ensure_folder(grafana: GrafanaApi) -> None:
    try:
        grafana.folder.get_folder(FOLDER_UID)
    except GrafanaClientError as error:
        if error.status_code != 404:
            raise
        grafana.folder.create_folder(FOLDER_TITLE, uid=FOLDER_UID)


def _put(grafana: GrafanaApi, board: Mapping[str, Any]) -> str:
    answer = grafana.dashboard.update_dashboard(
        {"dashboard": dict(board), "folderUid": FOLDER_UID, "overwrite": True, "message": "gatepulse dashboards push"}
    )
    return str(answer["url"])


@contextmanager
def _push_errors(url: str) -> Iterator[None]:
    """Turn the errors of the client into a PushError of one sentence."""
    try:
        yield
    except GrafanaUnauthorizedError:
        raise PushError(
            f"{url}: Grafana does not know the token (401). Make a new one for a service account with the role Editor."
        ) from None
    except GrafanaException as error:
        hint = " The service account needs the role Editor." if error.status_code == 403 else ""
        raise PushError(f"{url}: Grafana refused ({error.status_code}): {error.message}.{hint}") from None
    except OSError as error:
        raise PushError(f"{url}: cannot be reached ({type(error).__name__}). Is Grafana running there?") from None
