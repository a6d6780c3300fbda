"""Every registered adapter joins the suite."""

from probal.adapters import ADAPTERS
from tests.adapters.conformance import AdapterConformance


class TestBayes(AdapterConformance):
    adapter_id = "bayes"


class TestBayesClap(AdapterConformance):
    adapter_id = "bayes-clap"


class TestVariational(AdapterConformance):
    adapter_id = "bayes-vi"


class TestClap(AdapterConformance):
    adapter_id = "clap"


class TestTip(AdapterConformance):
    adapter_id = "tip"


class TestLinear(AdapterConformance):
    adapter_id = "linear"


class TestZeroShot(AdapterConformance):
    adapter_id = "zero-shot"


def test_every_adapter_is_in_the_suite() -> None:
    assert {each.adapter_id for each in AdapterConformance.__subclasses__()} == set(ADAPTERS)
