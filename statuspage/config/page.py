"""`page:` — the name, address and look of the page, and what is genuinely ours."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from statuspage import i18n
from statuspage.config.fields import (
    HostName,
    Interval,
    Language,
    Line,
    Mail,
    PageAddress,
    Phone,
    Shape,
    Switch,
    Text,
    WebAddress,
    ZoneName,
    matching,
    refuse,
)

_COLOR_ADVICE = 'write a colour such as "#2f5bea" (in quotes: # begins a comment)'
Color = Annotated[str, BeforeValidator(matching(r"#[0-9a-fA-F]{6}", _COLOR_ADVICE))]


def _distinct(values: list[str]) -> list[str]:
    if not values:
        refuse("name at least one")
    if len(set(values)) != len(values):
        refuse("each may be named once")
    return values


class Brand(Shape):
    """Colour and logo of the page's head."""

    color: Color = "#2f5bea"
    logo: Line = ""


class Support(Shape):
    """One way to reach people. `wait` is what a reader can expect, in milliseconds."""

    kind: Literal["chat", "phone", "email", "form", "social"]
    name: Text = Field(default_factory=dict)
    url: WebAddress = ""
    number: Phone = ""
    email: Mail = ""
    hours: Line = ""
    wait: Interval | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Support:
        needed = {"phone": "number", "email": "email"}.get(self.kind, "url")
        if not getattr(self, needed):
            refuse(f"add {needed}: that is how {self.kind} is reached")
        return self


class Apps(Shape):
    """Ids in the app stores."""

    ios: Line = ""
    android: Line = ""


class Official(Shape):
    """What is genuinely ours: the page /official and advice against impostors are made of it."""

    domains: list[HostName] = Field(default_factory=list)
    sms_senders: list[Line] = Field(default_factory=list)
    apps: Apps = Apps()
    social: dict[Line, WebAddress] = Field(default_factory=dict)
    security: Line = ""  # mail address or https address for reports of weaknesses; security.txt is made of it


class PageShape(Shape):
    """`page:`. The first language is the default; `demo: true` says on the page that what it shows is made up."""

    name: Text
    url: PageAddress
    languages: Annotated[list[Language], AfterValidator(_distinct)] = Field(
        default_factory=lambda: list(i18n.DEFAULT_LANGUAGES)
    )
    time_zone: ZoneName = "UTC"
    custody: Literal["self", "custodial", "both"] = "self"
    brand: Brand = Brand()
    support: list[Support] = Field(default_factory=list)
    official: Official = Official()
    demo: Switch = False

    def stored(self) -> dict[str, Any]:
        """The JSON form that `store.pages.load_page` reads."""
        return {
            "name": self.name, "url": self.url, "languages": list(self.languages), "time_zone": self.time_zone,
            "custody": self.custody, "brand_color": self.brand.color, "logo": self.brand.logo,
            "support": [item.model_dump(mode="json", exclude_defaults=True) for item in self.support],
            "official": self.official.model_dump(mode="json", exclude_defaults=True), "is_demo": self.demo,
        }  # fmt: skip
