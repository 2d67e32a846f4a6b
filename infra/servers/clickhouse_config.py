"""The configuration file and the passwords of the embedded ClickHouse server (started in clickhouse.py)."""

import hashlib
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

OWNER, READER = "gatepulse", "reader"
_MEMORY_BYTES = 2_000_000_000
_READER_MEMORY_BYTES = 500_000_000
_READER_SECONDS = 30


@dataclass(frozen=True)
class Login:
    """A user of the store; the password is not part of its repr."""

    user: str
    password: str = field(repr=False)


def stored_logins(path: Path) -> dict[str, Login]:
    """Return the owner's and the reader's passwords: made at random once, then read from this file (mode 0600)."""
    if not path.exists():
        made = {user: secrets.token_urlsafe(32) for user in (OWNER, READER)}
        write_private(path, json.dumps(made, indent=1) + "\n")
    return {user: Login(user, password) for user, password in json.loads(path.read_text()).items()}


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def config_xml(port: int, logins: dict[str, Login], *, directory: Path) -> str:
    """Write the server's config.xml: it holds only hashes of the passwords, and its own users_config.

    `default` has no password, since chdb's import and the entry both log in as it: it may open the ports and read
    system.numbers, and that is all.  The reader has readonly=2 with bounds: this engine refuses
    `changeable_in_readonly`, and Grafana's client must be able to set max_execution_time.
    """
    home = escape(str(directory))
    return f"""<clickhouse>
  <tcp_port>{port}</tcp_port>
  <listen_host>127.0.0.1</listen_host>
  <timezone>UTC</timezone>
  <logger>
    <level>information</level><log>{home}/server.log</log><errorlog>{home}/errors.log</errorlog>
    <size>5M</size><count>2</count>
  </logger>
  <tmp_path>{home}/scratch/</tmp_path>
  <user_files_path>{home}/user_files/</user_files_path>
  <format_schema_path>{home}/format_schemas/</format_schema_path>
  <max_server_memory_usage>{_MEMORY_BYTES}</max_server_memory_usage>
  <mark_cache_size>67108864</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_pool_size>2</background_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <max_concurrent_queries>100</max_concurrent_queries>
  <merge_tree>{_MERGES}<number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
  <users_config>config.xml</users_config>
  <profiles>
    <default>{_SETTINGS}<max_threads>2</max_threads></default>
    <reader>{_SETTINGS}<max_threads>2</max_threads><readonly>2</readonly>
      <max_execution_time>{_READER_SECONDS}</max_execution_time>
      <max_memory_usage>{_READER_MEMORY_BYTES}</max_memory_usage>
      <constraints>
        <max_execution_time><min>0.001</min><max>{_READER_SECONDS}</max></max_execution_time>
        <max_memory_usage><max>{_READER_MEMORY_BYTES}</max></max_memory_usage>
        <max_threads><max>4</max></max_threads>
        <allow_python_table_function><const/></allow_python_table_function>
        <allow_introspection_functions><const/></allow_introspection_functions>
        <format_schema><const/></format_schema>
      </constraints>
    </reader>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default><password></password>{_LOCAL}<profile>default</profile><quota>default</quota>
      <grants><query>GRANT SYSTEM LISTEN ON *.*</query><query>GRANT SELECT ON system.numbers</query></grants>
    </default>
    <{OWNER}>{_hashed(logins[OWNER])}{_LOCAL}<profile>default</profile><quota>default</quota></{OWNER}>
    <{READER}>{_hashed(logins[READER])}{_LOCAL}<profile>reader</profile><quota>default</quota>
      <grants><query>GRANT SELECT ON gatepulse.*</query></grants>
    </{READER}>
  </users>
</clickhouse>
"""


# Rows come in small parts, some ten a flush. Merging ten of a size at once, and not five, rewrites a row a third as
# often; what is read then has a few parts more.
_MERGES = "<merge_selector_base>10</merge_selector_base>"
_SETTINGS = (
    "<async_insert>0</async_insert>"
    "<allow_python_table_function>0</allow_python_table_function>"  # as any user it ended the whole process
    "<allow_introspection_functions>0</allow_introspection_functions>"
)
_LOCAL = "<networks><ip>127.0.0.1</ip><ip>::1</ip></networks>"


def _hashed(login: Login) -> str:
    digest = hashlib.sha256(login.password.encode()).hexdigest()
    return f"<password_sha256_hex>{digest}</password_sha256_hex>"
