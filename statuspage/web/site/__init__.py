"""The public site: pages, feeds, JSON."""

from statuspage.web.site.app import create_site
from statuspage.web.site.services import Services

__all__ = ["Services", "create_site"]
