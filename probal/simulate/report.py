"""A simulation as one HTML page that needs no network: curves, label ratios, paired wins, calibration, cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from probal.simulate.compare import BASELINE, NEVER, Estimate, geometric_mean, mean_ranks
from probal.simulate.figures import metric_figure
from probal.simulate.hands import Hands, timed
from probal.simulate.summary import Group, Summary, costs, groups, pairs, summarize, wins

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: .5rem 0 1.5rem } th, td { padding: .25rem .7rem; text-align: right }
th { border-bottom: 1px solid #888 } th:first-child, td:first-child { text-align: left }
tr:nth-child(even) td { background: #f6f6f6 } td.win { color: #00664b; font-weight: 600 } .note { color: #555 }
td.loss { color: #a33c00 }
"""


def write_report(
    result: Mapping[str, Any], to: Path, budgets: Sequence[int] = (), hands: Hands | None = None
) -> None:
    """Write the page for the JSON of a simulation; tables at each of `budgets`, by default at the end."""
    hands = hands or Hands()
    found = groups(result["runs"])
    ends: list[int | None] = list(budgets) or [None]
    summaries = [(group, [summarize(group, end) for end in ends]) for group in found]
    conditions = result["runs"][0].get("conditions", {})
    parts = [
        f"<h1>{'Simulated labeling' if len(found) > 1 else escape(title(found[0]))}</h1>",
        f"<p class=note>{escape(_conditions(conditions))}Intervals are 95%, over seeds; differences are paired "
        "by seed. A label ratio is the share of the budget at which a strategy's mean curve reaches what "
        f"{BASELINE} sampling reaches with all of it; {NEVER} where it never does.</p>",
    ]
    if len(found) > 1:
        parts.append(_overview([(group, by_budget[-1]) for group, by_budget in summaries]))
    script: bool | str = True  # plotly itself goes into the page once
    for group, by_budget in summaries:
        if len(found) > 1:
            parts.append(f"<h2>{escape(title(group))}</h2>")
        for metric in ("accuracy", "debiased_ece", "nll", "seconds"):
            figure = metric_figure(group, metric)
            parts.append(figure.to_html(full_html=False, include_plotlyjs=script))
            if metric == "accuracy":
                parts += [_table(each) for each in by_budget]
                parts.append(_wins(group))
            script = False
        if timed([run for runs in group.series.values() for run in runs]):
            figure = metric_figure(group, "accuracy", hands)
            parts += [figure.to_html(full_html=False, include_plotlyjs=False), _costs(group, hands)]
    page = f"<title>Simulated labeling</title><style>{_STYLE}</style>" + "\n".join(parts)
    to.write_text(f"<!doctype html><html lang=en><meta charset=utf-8>{page}</html>", "utf-8")


def title(group: Group) -> str:
    """Source, encoder and batch size in a line."""
    return f"{Path(group.source).name} · {group.encoder} · {group.batch_size} labels a round"


def share(value: Estimate) -> str:
    """An accuracy in per cent: 81.7 ± 0.6."""
    half = (
        "" if value.high is None or value.high == value.mean else f" ± {100 * (value.high - value.mean):.1f}"
    )
    return f"{100 * value.mean:.1f}{half}"


def difference(value: Estimate | None) -> str:
    """A difference in points with its interval: +3.9 [+3.2, +4.6]."""
    if value is None:
        return "–"
    if value.low is None or value.high is None:
        return f"{100 * value.mean:+.1f}"
    return f"{100 * value.mean:+.1f} [{100 * value.low:+.1f}, {100 * value.high:+.1f}]"


def ratio(value: Estimate | None) -> str:
    """A label ratio with its interval: 0.43 [0.35, 0.52]."""
    if value is None:
        return "–"
    if value.low is None or value.high is None:
        return f"{value.mean:.2f}"
    return f"{value.mean:.2f} [{value.low:.2f}, {value.high:.2f}]"


def _conditions(conditions: Mapping[str, Any]) -> str:
    named = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in conditions.items())
    return f"Conditions: {named}. " if named else ""


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML: escape what came from outside."""
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return f"<table><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr>{''.join(lines)}</table>"


def _table(summaries: Sequence[Summary]) -> str:
    end = f"at {summaries[0].budget}"
    head = [
        "strategy", "seeds", "no label", end, "area", "area − random", f"{end} − random", "label ratio",
        "deepest below start: mean, worst seed", "debiased ECE", "NLL", "s a round",
    ]  # fmt: skip
    rows = [
        [
            escape(each.name), str(each.seeds), share(each.zero_shot), share(each.final), share(each.area),
            difference(each.area_gain), difference(each.final_gain), ratio(each.label_ratio),
            f"{100 * each.drop.mean:.1f}, {100 * each.drop.worst:.1f}", f"{100 * each.debiased_ece:.1f}",
            f"{each.nll:.3f}", f"{each.seconds:.2f}",
        ]
        for each in summaries
    ]  # fmt: skip
    return _html_table(head, rows) + "<p class=note>Accuracy, differences and ECE in % and points.</p>"


def _costs(group: Group, hands: Hands) -> str:
    rows = [
        [
            escape(name), share(each.confirmed), f"{each.seconds.mean:,.0f}", difference(each.area_gain),
            ratio(each.ratio),
        ]
        for name, each in costs(group, hands).items()
    ]  # fmt: skip
    return _html_table(["strategy", "called right before, %", "seconds", "area − random", "ratio"], rows) + (
        f"<p class=note>A label takes {hands.confirm:g} s where the model had called the image right, so that it is "
        f"confirmed, and {hands.choose:g} s where a class is chosen. The area is that of accuracy over seconds, the "
        "ratio that of the seconds to what random sampling reaches with its whole budget.</p>"
    )


def _wins(group: Group) -> str:
    """Every strategy against every other: area of the row's less the column's."""
    found = {(one, other): value for one, other, value in pairs(group)}
    if not found:
        return ""
    names = list(group.series)
    lines = []
    for one in names:
        cells = [f"<td>{escape(one)}</td>"]
        for other in names:
            value = found.get((one, other))
            back = found.get((other, one))
            kind = " class=win" if value and wins(value) else " class=loss" if back and wins(back) else ""
            cells.append(f"<td{kind}>{difference(value)}</td>")
        won = sum(wins(value) for (first, _), value in found.items() if first == one)
        lines.append(f"<tr>{''.join(cells)}<td>{won}</td></tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in ["", *names])
    return (
        "<h3>Pairwise: area of the row less that of the column, points</h3>"
        f"<table><tr>{head}<th>wins</th></tr>{''.join(lines)}</table>"
        "<p class=note>A win: the paired interval lies above zero. Not corrected for the number of pairs.</p>"
    )


def _overview(summaries: Sequence[tuple[Group, Sequence[Summary]]]) -> str:
    """Label ratios of all sources with their geometric mean, and mean ranks where all ran everywhere."""
    names = list(dict.fromkeys(each.name for _, group in summaries for each in group))
    by_name = [{each.name: each for each in group} for _, group in summaries]
    complete = all(set(each) == set(names) for each in by_name)
    ranks = mean_ranks([{n: each[n].area.mean for n in names} for each in by_name]) if complete else {}
    rows = []
    for name in names:
        ratios = [each[name].label_ratio if name in each else None for each in by_name]
        reached = [each.mean for each in ratios if each is not None]
        mean = f"{geometric_mean(reached):.2f} ({len(reached)})" if reached else "–"
        rank = f"{ranks[name]:.1f}" if ranks else "–"
        rows.append([escape(name), mean, rank, *(ratio(each) for each in ratios)])
    head = [
        "strategy",
        "geometric mean (sets)",
        "mean rank of area",
        *(escape(title(g)) for g, _ in summaries),
    ]
    return (
        "<h2>Label ratios</h2>"
        + _html_table(head, rows)
        + "<p class=note>– where random sampling gains less "
        "than two standard errors over its start: no ratio means anything there.</p>"
    )
