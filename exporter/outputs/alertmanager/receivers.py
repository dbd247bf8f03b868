"""Receivers of each owner, in the format of Alertmanager 0.34.

Secrets are read from files under /run/secrets. Where Alertmanager expands templates, text of the catalog is escaped,
so that it arrives as written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from exporter.catalog.keys.container.alerts import Severity
from exporter.catalog.keys.owners import Opsgenie, PagerDuty
from exporter.outputs.base import OutputError, Refusals
from exporter.outputs.stack import mounted_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exporter.catalog.catalog import Catalog
    from exporter.catalog.keys.alertmanager import Smtp
    from exporter.catalog.keys.owners import EmailReceiver, Owner, Receiver, Slack, Teams, Webhook
    from exporter.catalog.reading.problems import CatalogPath

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""From the worst to the mildest."""
PAGERS = (PagerDuty, Opsgenie)
"""Receivers that wake people: by default they get critical alerts only."""
SUBMISSION_PORT = 587

_SLACK_TEXT = (
    "{{ range .Alerts }}*{{ .Labels.severity }}* {{ .Annotations.summary }}"
    "{{ with .Annotations.runbook_url }} <{{ . }}|runbook>{{ end }}"
    "{{ with .Annotations.dashboard_url }} <{{ . }}|dashboard>{{ end }}\n{{ end }}"
)
_PAGERDUTY_SEVERITY = "{{ with .CommonLabels.severity }}{{ . }}{{ else }}error{{ end }}"
_OPSGENIE_PRIORITY = (
    '{{ if eq .CommonLabels.severity "critical" }}P1{{ else if eq .CommonLabels.severity "info" }}P5'
    "{{ else }}P3{{ end }}"
)

Config = dict[str, Any]


def template_text(text: str) -> str:
    """Return text that a Go template expands to the given text."""
    return text.replace("{{", '{{ "{{" }}')


def global_config(catalog: Catalog) -> Config:
    """Return the settings that all receivers share."""
    config: Config = {"resolve_timeout": "5m"}
    settings = catalog.alertmanager
    if settings.slack_url:
        config["slack_api_url_file"] = mounted_secret(settings.slack_url, ("alertmanager", "slack_url")).path
    if settings.smtp:
        config |= _smtp(settings.smtp)
    return config


def _smtp(smtp: Smtp) -> Config:
    host, port = smtp.address
    config: Config = {
        "smtp_smarthost": f"{f'[{host}]' if ':' in host else host}:{port or SUBMISSION_PORT}",
        "smtp_from": template_text(smtp.sender),
        "smtp_require_tls": smtp.require_tls,
    }
    if smtp.username:
        config["smtp_auth_username"] = smtp.username
    if smtp.password:
        config["smtp_auth_password_file"] = mounted_secret(
            smtp.password, ("alertmanager", "smtp", "password")
        ).path
    return config


def told(severity: Severity, receiver: Receiver) -> bool:
    """True if this receiver gets alerts of this severity."""
    default = ("critical",) if isinstance(receiver, PAGERS) else SEVERITIES
    return severity in (receiver.severities or default)


def integrations(catalog: Catalog, owner: str, wanted: Callable[[Receiver], bool]) -> Config:
    """Return those of the owner's receivers that are `wanted`, by Alertmanager's key for each kind.

    Raises:
        OutputError: a receiver needs something that the catalog lacks.
    """
    found: Config = {}
    ways = catalog.owners[owner]
    refusals = Refusals()
    for key, where, receiver, config in _all(catalog, owner, ways):
        if wanted(receiver):
            with refusals.gathered():
                own = config(receiver, where)
                found.setdefault(key, []).append({"send_resolved": receiver.resolved, **own})
    refusals.end()
    return found


def _all(
    catalog: Catalog, name: str, owner: Owner
) -> Iterator[tuple[str, CatalogPath, Receiver, Callable[[Any, CatalogPath], Config]]]:
    kinds: tuple[tuple[str, tuple[Receiver, ...], str, Callable[[Any, CatalogPath], Config]], ...] = (
        ("slack", owner.slack, "slack_configs", lambda receiver, where: _slack(catalog, receiver, where)),
        ("pagerduty", owner.pagerduty, "pagerduty_configs", _pagerduty),
        ("email", owner.email, "email_configs", lambda receiver, where: _email(catalog, receiver, where)),
        ("webhook", owner.webhook, "webhook_configs", _webhook),
        ("teams", owner.teams, "msteamsv2_configs", _teams),
        ("opsgenie", owner.opsgenie, "opsgenie_configs", _opsgenie),
    )
    for kind, receivers, key, config in kinds:
        for index, receiver in enumerate(receivers):
            yield key, ("owners", name, kind, index), receiver, config


def _slack(catalog: Catalog, receiver: Slack, where: CatalogPath) -> Config:
    config: Config = {}
    if receiver.url:
        config["api_url_file"] = mounted_secret(receiver.url, (*where, "url")).path
    elif not catalog.alertmanager.slack_url:
        raise OutputError("has no webhook; write url here, or alertmanager.slack_url for all", *where)
    return {**config, "channel": template_text(receiver.channel), "text": _SLACK_TEXT}


def _pagerduty(receiver: PagerDuty, where: CatalogPath) -> Config:
    path = mounted_secret(receiver.key, (*where, "key")).path
    return {"routing_key_file": path, "severity": _PAGERDUTY_SEVERITY}


def _email(catalog: Catalog, receiver: EmailReceiver, where: CatalogPath) -> Config:
    if not catalog.alertmanager.smtp:
        raise OutputError("needs a mail server; write alertmanager.smtp with address and sender", *where)
    return {"to": template_text(receiver.to)}


def _webhook(receiver: Webhook, where: CatalogPath) -> Config:
    literal = receiver.url.literal
    if literal is None:
        config: Config = {"url_file": mounted_secret(receiver.url, (*where, "url")).path}
    elif literal.startswith(("http://", "https://")) and literal.isprintable() and " " not in literal:
        # Percent-encoded: Alertmanager expands templates in URLs since 0.29, and did not before.
        config = {"url": literal.replace("{", "%7B").replace("}", "%7D")}
    else:
        raise OutputError("is not a URL; write one such as https://example.com/alerts", *where, "url")
    if receiver.bearer_token:
        token = mounted_secret(receiver.bearer_token, (*where, "bearer_token")).path
        config["http_config"] = {"authorization": {"type": "Bearer", "credentials_file": token}}
    return config


def _teams(receiver: Teams, where: CatalogPath) -> Config:
    return {"webhook_url_file": mounted_secret(receiver.url, (*where, "url")).path}


def _opsgenie(receiver: Opsgenie, where: CatalogPath) -> Config:
    config: Config = {
        "api_key_file": mounted_secret(receiver.key, (*where, "key")).path,
        "priority": _OPSGENIE_PRIORITY,
    }
    if receiver.team:
        config["responders"] = [{"name": template_text(receiver.team), "type": "team"}]
    return config
