"""Commands, settings, roles and powers, refusal codes, promises: one page each, from where they are defined."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import click

import api.http.refusals  # noqa: F401  the refusals of the edge are known once their module is imported
from app.cli import main
from app.reference.markdown import page, prose, slug, table
from domain.kernel.law import Article, named
from domain.kernel.refusals import Refusal, refusals
from domain.kernel.roles import ROLES, SYSTEM
from domain.kinds import POWERS
from domain.publication.laws import KINDS
from domain.standard.powers import roles_with
from infra.eventstore.shipped_rules import shipped_law, shipped_standards
from infra.settings import Settings
from projections.names import COMMITMENTS

# ---- commands


def commands_page() -> str:
    """Every command of the command line with its arguments and options."""
    found = list(_commands(main, ("tongshui",)))
    return page(
        "Commands",
        "Every command of `tongshui`. Settings are [environment variables](settings.md); `-h` prints the same help.",
        table(
            ("command", "what it does"),
            (
                (f"[`{' '.join(path)}`](#{slug(' '.join(path))})", prose(_text(each.help).partition("\n\n")[0]))
                for path, each in found
            ),
        ),
        *(_command(path, each) for path, each in found),
    )


def _commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _commands(command.commands[name], (*path, name))
    else:
        yield path, command


def _text(words: str | None) -> str:
    return inspect.cleandoc(words or "").replace("\b\n", "").replace("\f", "")


def _command(path: tuple[str, ...], command: click.Command) -> list[str]:
    context = click.Context(command, info_name=" ".join(path))
    usage = command.get_usage(context).removeprefix("Usage: ")
    lines = [f"## {' '.join(path)} {{ #{slug(' '.join(path))} }}", "", "```text", *usage.splitlines(), "```", ""]
    lines += [prose(_text(command.help)), ""]
    options = [each for each in command.params if isinstance(each, click.Option)]
    rows = (
        (f"`{', '.join(each.opts)}`", _kind(each), "yes" if each.required else "no", _help(each)) for each in options
    )
    return [*lines, *table(("option", "value", "required", "meaning"), rows)]


def _kind(option: click.Option) -> str:
    if option.is_flag:
        return "–"
    if isinstance(option.type, click.Choice):
        return ", ".join(f"`{each}`" for each in option.type.choices)
    return option.type.name


def _help(option: click.Option) -> str:
    words = prose(option.help or "")
    given = option.default
    plain = given is not None and not callable(given) and type(given) in (int, float, str) and given != ""
    return f"{words} Default: `{given}`." if plain else words


# ---- settings


def settings_page() -> str:
    """Every setting with its variable, default, bounds and meaning."""
    schema = Settings.model_json_schema()
    rows = []
    for name, info in Settings.model_fields.items():
        default = "–" if info.is_required() or info.default_factory else info.default
        word = str(default).lower() if isinstance(default, bool) else default
        shown = f"`{word}`" if default not in ("", None, "–") else "–"
        rows.append((f"`TONGSHUI_{name.upper()}`", shown, _bounds(schema["properties"][name]), info.description or ""))
    return page(
        "Settings",
        "Every setting is an environment variable. A wrong value ends the program with the variable's name, what was "
        "found and what was needed. `–` as the default means that nothing is set.",
        table(("variable", "default", "allowed", "meaning"), rows),
    )


def _bounds(schema: Any) -> str:
    from app.reference.schemas import allowed, kind

    return "; ".join(each for each in (kind(schema), allowed(schema)) if each)


# ---- roles and powers


def powers_page() -> str:
    """Which role has which power by the shipped standard, and the other way round."""
    powers = {power: roles_with(shipped_standards()[-1], power) for power in POWERS}
    by_power = ((f"`{power}`", ", ".join(f"`{role}`" for role in powers.get(power, ()))) for power in sorted(POWERS))
    by_role = (
        (
            f"`{role}`",
            ", ".join(f"`{power}`" for power in sorted(POWERS) if role in powers.get(power, ())) or "reads only",
        )
        for role in (*ROLES, SYSTEM)
    )
    return page(
        "Roles and powers",
        "A standard says which role may do what. These are the powers of the shipped standard "
        f"`{shipped_standards()[-1].version}`; the standard in force in an installation is at `/api/v1/standards`. "
        "A role is that of the account that signed in. What a standard does not name is given by the program: "
        "see [Decision 79](../explanation/decisions/0079-accounts.md).",
        ["## By power { #by-power }", ""],
        table(("power", "roles"), by_power),
        ["## By role { #by-role }", ""],
        table(("role", "powers"), by_role),
    )


# ---- refusal codes


def refusals_page() -> str:
    """Every code with its HTTP status, its words in both languages and the slice whose rule it is."""
    known = sorted(refusals().items())
    places: dict[str, list[tuple[str, type[Refusal]]]] = {}
    for code, cls in known:
        places.setdefault(_place(cls), []).append((code, cls))
    sections = []
    for place, own in sorted(places.items()):
        sections.append([f"## {place}", ""])
        rows = (
            (
                f"`{code}`",
                cls.status,
                f"{cls.title}<br>{cls.title_zh}",
                _said(cls.needed),
                f"{_said(cls.next_step)}<br>{_said(cls.next_step_zh)}",
            )
            for code, cls in own
        )
        made = table(("code", "HTTP status", "title", "needed", "next step"), rows)
        sections.append([line.replace("&lt;br>", "<br>") for line in made])
    return page(
        "Refusal codes",
        "Every refusal has a code that never changes. The answer says what was found, what was needed and the next "
        "step, in English and Chinese. `…` stands where the words depend on the case.",
        *sections,
    )


def _place(cls: type[Refusal]) -> str:
    floor, _, rest = cls.__module__.partition(".")
    return rest.partition(".")[0] if floor == "domain" else "request"


def _said(words: Any) -> str:
    return words if isinstance(words, str) and words else "…"


# ---- promises


def promises_page() -> str:
    """Every commitment of the shipped standard with its name, reminders, escalation and who is told."""
    standard, law = shipped_standards()[-1], shipped_law()
    rows = (
        (
            f"`{name}`",
            f"{COMMITMENTS[name].zh} {COMMITMENTS[name].en}" if name in COMMITMENTS else "",
            ", ".join(_named(each) for each in standard.alerting.ladders.get(name, ())) or "–",
            ", ".join(f"`{role}`" for role in standard.alerting.notify_on_lapse.get(name, ())) or "–",
            "; ".join(f"{named(each)}, {_validity(each)}" for each in law.articles if name in each.basis_for.promises)
            or "the utility's own",
        )
        for name in sorted({*standard.alerting.ladders, *standard.alerting.notify_on_lapse, *COMMITMENTS})
    )
    return page(
        "Promises",
        "Each commitment of a standard is one promise; a running limit of a case under it is a window. Reminders come "
        "before a window ends, escalation after it lapsed.",
        table(("commitment", "name", "reminders before the end", "told of a lapse", "legal basis"), rows),
    )


def _named(reminder: Any) -> str:
    return re.sub(r"\s+", " ", f"`{getattr(reminder, 'name', reminder)}`")


# ---- the law


def law_page() -> str:
    """Every article of the shipped law with its validity, our summary and what it is the basis of."""
    rows = (
        (
            f"`{each.code}`",
            named(each),
            _validity(each),
            f"{each.summary_zh}<br>{each.summary_en}",
            ", ".join(f"`{code}`" for kind in KINDS for code in each.basis_for.of(kind)) or "–",
            each.source,
        )
        for each in shipped_law().articles
    )
    made = table(("code", "article", "in force", "what it says, in our words", "basis of", "seen at"), rows)
    return page(
        "Law",
        "The articles that promises, refusals and rules rest on, as shipped; `tongshui law list` says what is "
        "published. The program quotes no law. What was seen in a secondary source only is to be "
        "checked before anybody relies on it.",
        [line.replace("&lt;br>", "<br>") for line in made],
    )


def _validity(article: Article) -> str:
    return f"from {article.valid_from}" + (f" until {article.valid_until}" if article.valid_until else "")
