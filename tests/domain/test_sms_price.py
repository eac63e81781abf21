import pytest

from statuspage.domain import sms_price

HERE = {"prices": {"HK": "0.0499", "US": "0.0079", "CA": "0.0085"}}


@pytest.mark.parametrize(("label", "code"), [
    ("+852 ••• 1234", "852"), ("+1 ••• 1234", "1"), ("+852 ", "852"), ("(settings)", ""), ("", ""), ("https://x", ""),
])  # fmt: skip
def test_the_country_is_read_from_the_masked_form_alone(label, code):
    assert sms_price.calling_code(label) == code


@pytest.mark.parametrize(("code", "milli"), [("852", 50), ("1", 9), ("65", 80), ("", 80)])
def test_a_segment_costs_the_countrys_price_rounded_up_and_the_dearest_of_those_who_share_a_code(code, milli):
    assert sms_price.segment_milli(HERE, code) == milli


def test_what_is_not_said_has_a_ceiling_all_the_same():
    assert sms_price.spend_settings({"spend": {"per_hour": 5}}) == {"per_hour": 5, "per_month": 200, "currency": "USD"}
    assert sms_price.is_priced(HERE, "852")
    assert not sms_price.is_priced(HERE, "65")
