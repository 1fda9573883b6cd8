"""The dashboard, its sources and its services: each says what the run's page really serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from harness.run.live.latency_histogram import BOUNDS_NS
from tests.unit.live.snapshots import full_snapshot, page_text

ROOT = Path(__file__).resolve().parents[3]
GRAFANA = ROOT / "compose" / "grafana"
DASHBOARD: dict[str, Any] = json.loads(
    (GRAFANA / "dashboards" / "run.json").read_text(encoding="utf-8")
)
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# What Grafana puts in their place is a duration.
MACROS = ("$__rate_interval", "$__range", "$__interval")


def served() -> dict[str, list[dict[str, str]]]:
    """Labels of every sample that the page has, by its name."""
    page = page_text(full_snapshot())
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(dict(sample.labels))
    # A counter that only grows in a run that ends is there without a sample.
    found.setdefault("harness_runs_judged_total", [{"verdict": "PASS"}])
    return found


def expressions() -> list[str]:
    """Every PromQL expression of the dashboard."""
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [*panels, *(own["expr"] for own in DASHBOARD["annotations"]["list"])]


def parsed(expression: str) -> Any:
    """The expression as Prometheus reads it."""
    for macro in MACROS:
        expression = expression.replace(macro, "1m")
    return promql_parser.parse(expression)


def selectors(node: Any) -> Iterator[Any]:
    """Every metric that an expression selects, with its matchers."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
        return
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        inner = getattr(node, name, None)
        if inner is not None:
            yield from selectors(inner)
    for argument in getattr(node, "args", None) or ():
        yield from selectors(argument)


@pytest.mark.parametrize("expression", expressions())
def test_expressions_use_what_is_served(expression: str) -> None:
    """Names, labels, and where a label is matched by equality its value too."""
    samples = served()
    found = list(selectors(parsed(expression)))
    assert found
    for selector in found:
        assert selector.name in samples, selector.name
        for matcher in selector.matchers.matchers:
            values = {labels.get(matcher.name) for labels in samples[selector.name]}
            assert values != {None}, f"{selector.name} has no label {matcher.name}"
            if matcher.op == promql_parser.MatchOp.Equal:
                assert matcher.value in values


def test_every_selector_of_an_expression_is_found() -> None:
    """The walk through an expression goes everywhere; else the test above would hold nothing."""
    text = 'sum by (a) (rate(x_total[5m])) / on (b) y > 1 or histogram_quantile(0.9, z{c="d"} or w)'
    assert sorted(own.name for own in selectors(parsed(text))) == ["w", "x_total", "y", "z"]


def test_everything_served_is_shown() -> None:
    """A metric that no panel shows would be missed by a reader of the dashboard only."""
    shown = {own.name for expression in expressions() for own in selectors(parsed(expression))}
    hidden = {name.removesuffix("_bucket") for name in served()} - {
        name.removesuffix("_bucket") for name in shown
    }
    assert hidden <= {
        "harness_latency_seconds_count",
        "harness_latency_seconds_sum",
        "harness_objective_limit_ratio",
    }


def test_panels_are_well_formed() -> None:
    """Ids are unique, panels do not overlap, and every source is the one that is chosen."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    fields: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["datasource"] == SOURCE
        assert panel["description"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)
        assert all(target["datasource"] == SOURCE for target in panel["targets"])
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        own = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not own & fields, panel["title"]
        fields |= own
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    assert DASHBOARD["annotations"]["list"][0]["datasource"] == SOURCE


def test_limit_is_a_bound_of_the_histogram() -> None:
    """The share within 500 ms is exact only as long as 500 ms is a bound."""
    assert 500_000_000 in BOUNDS_NS


def test_services_find_each_other() -> None:
    """Loopback only, files that are there, and one port on both sides of each connection."""
    services = read("compose.yaml")["services"]
    assert set(services) == {"prometheus", "grafana"}
    for service in services.values():
        assert service["profiles"] == ["live"]
        assert service["network_mode"] == "host"
        for volume in service["volumes"]:
            if volume.startswith("./"):
                assert (GRAFANA / volume.partition(":")[0]).exists(), volume
    assert (
        "--web.listen-address=127.0.0.1:${PROMETHEUS_PORT:-9090}"
        in (services["prometheus"]["command"])
    )
    environment = services["grafana"]["environment"]
    assert environment["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    (source,) = read("provisioning/datasources/prometheus.yaml")["datasources"]
    assert source["url"] == "http://127.0.0.1:${PROMETHEUS_PORT}"
    assert environment["PROMETHEUS_PORT"] == "${PROMETHEUS_PORT:-9090}"
    (provider,) = read("provisioning/dashboards/run.yaml")["providers"]
    mounted = [volume for volume in services["grafana"]["volumes"] if "dashboards" in volume]
    assert mounted == [f"./dashboards:{provider['options']['path']}:ro"]
    (job,) = read("prometheus.yaml")["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    port = target.partition(":")[2]
    assert f"--metrics-port {port}" in (GRAFANA / "compose.yaml").read_text(encoding="utf-8")


def read(name: str) -> Any:
    """A YAML file of the folder."""
    return yaml.safe_load((GRAFANA / name).read_text(encoding="utf-8"))
