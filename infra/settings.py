"""Settings: the only reader of the environment, and the only home of topic and schema names.

Every setting is an environment variable ``TONGSHUI_<NAME>`` (see each field). A wrong value stops the program with
the variable's name and what was needed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "TONGSHUI_"
OF_COMPOSE = ("TONGSHUI_VERSION", "TONGSHUI_SECRETS")
"""What only ``infra/compose.yaml`` reads, in the same environment."""
EVENT_TOPICS = ("repair", "connection", "usage", "public", "crew", "office")
"""The topics of events, as they stand in a public type name (its second word). Readers that may not know the rulebook
route by this list; a test holds it equal to what the facts declare."""


RelayProducer = Literal["kafka-python", "confluent-kafka"]
"""A library that the relay can send with."""


class StaffContact(BaseModel):
    """Where a role is told, besides the page: a mailbox of the role and an address of its own system. Of roles, never
    of a person: who is on duty is the mailbox's or the system's to know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: str = ""
    webhook: str = ""


class Settings(BaseSettings):
    """What an installation chooses. Immutable; made once per process by ``app.processes`` or a test."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    data_dir: Path = Field(default=Path(".tongshui"), description="where `up` keeps embedded data, logs, state")
    database_url: str = Field(
        default="",
        description="libpq connection string, with sslmode=verify-full and sslrootcert for TLS; empty: the one of `up`",
    )
    kafka_bootstrap: str = Field(default="", description="host:port[,host:port]; empty: the one `up` wrote down")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="how every client speaks to the brokers"
    )
    kafka_sasl_mechanism: str | None = Field(default=None, description="for example PLAIN or SCRAM-SHA-512")
    kafka_sasl_username: str | None = Field(default=None, description="who logs in at the brokers")
    kafka_sasl_password: str | None = Field(default=None, repr=False, description="never shown")
    kafka_ssl_cafile: str | None = Field(default=None, description="PEM file of the authority that signed the brokers")
    kafka_ssl_certfile: str | None = Field(default=None, description="PEM file of our own certificate")
    kafka_ssl_keyfile: str | None = Field(default=None, description="PEM file of its private key")

    topic_prefix: str = Field(default="water.", description="what the names of all topics begin with")
    partitions: int = Field(default=4, ge=1, description="of every topic; fixed when the topics are created")
    replication: int = Field(default=1, ge=1, description="replicas of every topic; fixed when the topics are created")
    readings_partitions: int = Field(default=4, ge=1, description="of the readings' topic")
    readings_days: int = Field(default=7, ge=1, description="how long the readings' topic keeps them")
    readings_batch: int = Field(
        default=5_000, ge=1, le=20_000, description="readings stored in one transaction at most"
    )

    gateway_url: str = Field(default="", description="where SMS and WeChat messages are posted to; empty: nowhere")
    gateway_secret: str = Field(default="", repr=False, description="shared with the gateway; signs every message")
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[A-Za-z0-9.\-\[\]:]+)?$",
        description="address under which people open the pages, as https://water.example.org, for links in messages; "
        "empty: papers are not sent and messages to staff have no link",
    )
    gateway_timeout_s: float = Field(default=10, gt=0, le=15, description="of one attempt, by any way")
    smtp_host: str = Field(default="", description="the mail server; empty: none")
    smtp_port: int = Field(default=25, ge=1, le=65_535, description="the mail server's port")
    smtp_from: str = Field(default="", description="the sender's address")
    smtp_list: str = Field(default="", description="the address that public notices go to")
    smtp_starttls: bool = Field(default=False, description="whether the connection is encrypted by STARTTLS")
    smtp_username: str = Field(default="", description="who logs in at the mail server; empty: nobody")
    smtp_password: str = Field(default="", repr=False, description="never shown")
    staff_contacts: dict[str, StaffContact] = Field(
        default_factory=dict, description='role -> {"email", "webhook"}, as JSON; SMS and WeChat go by the gateway'
    )
    outbox_tries: int = Field(default=8, ge=1, le=100, description="attempts before a message is given up")
    outbox_pause_s: float = Field(default=5, gt=0, description="after the first attempt; it doubles")
    outbox_longest_pause_s: float = Field(default=900, gt=0, description="up to which the pause doubles")
    outbox_poll_ms: int = Field(default=1_000, ge=10, description="how often the sender looks for due messages")

    http_host: str = Field(default="127.0.0.1", description="the address on which the API and the pages listen")
    http_port: int = Field(default=8225, description="the port on which the API and the pages listen")
    http_connections: int = Field(
        default=1_000, ge=10, description="connections at once; a further one is answered 503"
    )
    http_names: tuple[str, ...] = Field(
        default=(), description="host names, besides this machine's own, under which the API may be asked, as JSON"
    )
    tls_cert_file: Path | None = Field(
        default=None, description="PEM file of the API's certificate and its chain; left out: no TLS"
    )
    tls_key_file: Path | None = Field(
        default=None, description="PEM file of its private key; left out: the key is in the certificate's file"
    )
    http_header_s: float = Field(
        default=10, gt=0, description="within which the headers of a request must have come, or the connection ends"
    )
    http_body_s: float = Field(default=30, gt=0, description="within which the body of a request must have come")
    disclosed_figures_s: float = Field(
        default=30, ge=0, description="how old disclosed figures and indicators may be; 0: counted for each answer"
    )
    streams_at_most: int = Field(default=100, ge=1, description="open event streams at once")
    actor_streams_at_most: int = Field(
        default=20, ge=1, description="open event streams at once of one actor; of the public, of one address"
    )
    sign_ins_per_minute: float = Field(
        default=60, ge=1, description="attempts to sign in, from one address; as many at once"
    )
    public_posts_per_minute: float = Field(
        default=600, ge=1, description="commands of the public, from one address; as many at once"
    )
    actor_posts_per_minute: float = Field(
        default=6_000, ge=1, description="commands of one actor with a session or a token; as many at once"
    )
    public_queries_per_minute: float = Field(
        default=6_000, ge=1, description="queries of the public, from one address; as many at once"
    )
    actor_queries_per_minute: float = Field(
        default=6_000, ge=1, description="queries of one actor with a session or a token; as many at once"
    )
    phone_codes_per_minute: float = Field(
        default=1,
        ge=0.1,
        description="one-time codes that may be asked for one telephone; as many at once",
    )
    link_files_per_minute: float = Field(
        default=10, ge=1, description="files that the holder of a case's secret link hands in; as many at once"
    )
    link_files_at_most: int = Field(
        default=20, ge=1, description="files of one case that came by its secret links, altogether"
    )
    idempotency_days: float = Field(
        default=30, ge=1, description="how long the answer to a command is kept under its Idempotency-Key"
    )

    master_key_file: Path | None = Field(
        default=None, description="the key that seals secrets and particulars; left out: data_dir/master.key"
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=("127.0.0.1", "::1"),
        description="addresses of front ends that may say who asks (X-Actor, X-Role), as JSON",
    )
    proxy_secret: str = Field(
        default="",
        repr=False,
        description="what such a front end proves itself with, in X-Proxy-Secret; left out: data_dir/proxy.secret",
    )
    citizen_key: str = Field(
        default="",
        repr=False,
        description="what codes of secret links are made with, the same for every API; left out: data_dir/citizens.key",
    )
    session_hours: float = Field(default=12, gt=0, le=24, description="after which somebody must sign in again")
    session_idle_minutes: float = Field(default=60, gt=0, description="without a request after which a session ends")
    second_factor_roles: tuple[str, ...] = Field(
        default=("operator", "manager", "deputy-director", "cashier"),
        description="roles that nobody acts in without a second factor, as JSON",
    )
    oidc_issuer: str = Field(
        default="",
        pattern=r"^$|^https://[^\s?#]+$|^http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?(/[^\s?#]*)?$",
        description="the OpenID Connect provider, as its discovery document calls itself; empty: none",
    )
    oidc_client_id: str = Field(
        default="", validate_default=True, description="what the provider calls this installation"
    )
    oidc_client_secret: str = Field(default="", repr=False, description="never shown; empty: a client without a secret")
    oidc_name: str = Field(
        default="统一身份认证 single sign-on", max_length=60, description="what the button on /login calls the provider"
    )
    oidc_scope: str = Field(
        default="openid",
        pattern=r"^(\S+ )*openid( \S+)*$",
        description="scopes that are asked for, with spaces between",
    )
    oidc_actor_claim: str = Field(
        default="sub", min_length=1, description="the claim of the ID token that is the id of an account"
    )
    oidc_acr_values: tuple[str, ...] = Field(
        default=(), description="values of acr that are asked for, each of which is a second factor, as JSON"
    )
    oidc_amr: tuple[str, ...] = Field(
        default=("mfa", "otp"), description="values of amr of which each is a second factor, as JSON"
    )
    oidc_ssl_cafile: str | None = Field(
        default=None, description="PEM file of the provider's authority; left out: those that the machine trusts"
    )

    utility_name: str = Field(default="供水企业", max_length=60, description="who papers are issued by, in Chinese")
    evidence_dir: Path | None = Field(
        default=None, description="where sealed files of evidence lie; left out: data_dir/evidence"
    )
    evidence_s3_url: str = Field(
        default="", description="https://host[:port]/bucket of an S3-compatible store for them; empty: evidence_dir"
    )
    evidence_s3_access_key: str = Field(default="", repr=False, description="never shown")
    evidence_s3_secret_key: str = Field(default="", repr=False, description="never shown")
    evidence_s3_region: str = Field(default="us-east-1", description="as the store calls itself in signatures")
    evidence_s3_cafile: Path | None = Field(
        default=None, description="PEM file of the authority that signed the store; left out: the usual ones"
    )
    evidence_most_mb: dict[str, int] = Field(
        default_factory=dict, description="class of evidence -> size of a file in MiB at most, as JSON"
    )
    evidence_keep_days: dict[str, int] = Field(
        default_factory=dict, description="class of evidence -> days that a file is kept, as JSON"
    )
    evidence_uploads_at_most: int = Field(default=50, ge=1, description="unfinished uploads of one actor at once")
    evidence_upload_hours: float = Field(
        default=24, gt=0, description="after which an upload that nobody goes on with is thrown away"
    )
    evidence_clamd: str = Field(
        default="", description="host:port or socket path of the clamd that looks at every file; empty: none"
    )
    evidence_scan_command: tuple[str, ...] = Field(
        default=(), description="or a command that reads a file and exits with 0 clean, 1 infected, as JSON"
    )
    evidence_scan_s: float = Field(default=120, gt=0, description="a scanner that takes longer is not there")

    relay_producer: RelayProducer = Field(
        default="kafka-python",
        description="the library that the relay sends with; confluent-kafka is faster and is installed apart",
    )
    relay_delivery_timeout_ms: int = Field(default=30_000, description="until a record that is not acknowledged fails")
    relay_request_timeout_ms: int = Field(default=10_000, description="until one request to a broker fails")
    relay_poll_ms: int = Field(default=1_000, description="how often the relay looks for events unasked")
    relay_checkpoint_ms: int = Field(default=1_000, description="how often the relay writes down what is acknowledged")
    relay_look_ms: int = Field(default=5_000, description="how often the relay compares the logs' ends with its own")
    relay_topics_s: float = Field(default=60, gt=0, description="how often the topics' settings are looked at")
    relay_puts_topics_right: bool = Field(
        default=True, description="whether the relay sets wrong settings of a topic to what they must be"
    )
    relay_hang_ms: int = Field(default=30_000, ge=1_000, description="an active relay that hangs so long is replaced")
    relay_alarm_s: float = Field(default=30, description="an event that waits longer to be on Kafka is an alarm")

    disk_floor_mb: int = Field(default=512, ge=0, description="less room on a disk of the data is an alarm; 0: never")
    clock_tolerance_s: float = Field(default=2, gt=0, description="a process whose clock differs by more is an alarm")

    hold_alarm_s: float = Field(default=10, description="a partition held longer than this is an alarm")
    reader_batch: int = Field(default=500, ge=1, le=5_000, description="records applied in one transaction at most")
    dead_letters_at_most: int = Field(default=50, ge=0, description="of events, by one reader; one more stops it")
    dead_letters_within_s: float = Field(default=600, gt=0, description="the time in which they are counted")
    billing_reconcile_s: float = Field(default=86_400, gt=0, description="how often billing's books meet the store")

    notary_dir: Path | None = Field(default=None, description="the notary's key files; left out: data_dir/notary")
    notary_name: str = Field(
        default="tongshui", pattern=r"^[^\s+/]{1,100}$", description="what checkpoints call this installation's log"
    )
    notary_every_s: float = Field(default=5, gt=0, description="a checkpoint so often, where something was added")
    notary_every_events: int = Field(default=10_000, ge=1, le=20_000, description="and after so many events at most")

    clock_factor: float = Field(default=1.0, gt=0, description="seconds of service time in a real second; demo only")
    clock_start: AwareDatetime | None = Field(default=None, description="service time of the first start; demo only")
    demo: bool = Field(default=False, description="the demo runs: the page says what is real, what simulated")
    log_level: str = Field(default="INFO", description="of every process: DEBUG, INFO, WARNING or ERROR")
    log_stamped: bool = Field(
        default=False, description="whoever keeps the log puts the time before each line, as `up` does"
    )

    @field_validator("oidc_client_id")
    @classmethod
    def _goes_with_the_issuer(cls, client_id: str, info: ValidationInfo) -> str:
        if bool(client_id) != bool(info.data.get("oidc_issuer")):
            raise ValueError(f"{PREFIX}OIDC_ISSUER and {PREFIX}OIDC_CLIENT_ID are set together")
        return client_id

    @property
    def paper_ways(self) -> frozenset[str]:
        """By which ways applicants can be sent the link to a paper: those of the gateway, where links have a host."""
        can = bool(self.gateway_url and self.gateway_secret and self.public_url)
        return frozenset({"sms", "wechat"}) if can else frozenset()

    @property
    def outbox_lease_s(self) -> float:
        """How long a message is one sender's: longer than any attempt can take, which is a dozen waits by mail."""
        return 12 * self.gateway_timeout_s + 3

    @property
    def breach_topic(self) -> str:
        return f"{self.topic_prefix}breach.v1"

    @property
    def dead_letter_topic(self) -> str:
        return f"{self.topic_prefix}deadletter.v1"

    @property
    def checkpoint_topic(self) -> str:
        """The notary's signed checkpoints: one partition, kept for ever."""
        return f"{self.topic_prefix}checkpoint.v1"

    @property
    def canary_topic(self) -> str:
        """What falls due each minute only to be heard: of no case, and kept for an hour."""
        return f"{self.topic_prefix}canary.v1"

    @property
    def readings_topic(self) -> str:
        """Meter readings: not from the store, and not kept for ever."""
        return f"{self.topic_prefix}readings.v1"

    def home_topic(self, topic: str) -> str:
        """What Kafka calls a topic of events, for example ``water.repair.v1``."""
        return f"{self.topic_prefix}{topic}.v1"

    @property
    def home_topics(self) -> tuple[str, ...]:
        return tuple(self.home_topic(topic) for topic in EVENT_TOPICS)


def unknown_variables(names: Iterable[str] | None = None) -> dict[str, str]:
    """Variables that look like settings and are none, each with the setting it resembles most ("" where it resembles
    none). ``names`` None: those of the environment."""
    known = {name.upper() for name in Settings.model_fields} | {name.removeprefix(PREFIX) for name in OF_COMPOSE}
    ours = [name for name in (os.environ if names is None else names) if name.upper().startswith(PREFIX)]
    unknown = {name: name.upper().removeprefix(PREFIX) for name in sorted(ours)}
    nearest = {name: get_close_matches(word, known, 1) for name, word in unknown.items() if word not in known}
    return {name: f"{PREFIX}{found[0]}" if found else "" for name, found in nearest.items()}
