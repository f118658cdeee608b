"""What pages know of the models while the first one is still coming."""

from collections.abc import Sequence

from premrunner.domain.catalog import CatalogModel
from premrunner.web.services import services


def known_models() -> Sequence[CatalogModel]:
    """Return the models, with the starter model from the moment that it is ready."""
    catalog = services().catalog
    models = catalog.known()
    starter = services().starter.progress()
    if not models and starter and starter.stage == "ready":
        # Another process has just brought it, and the list of this one is older.
        catalog.forget()
        models = catalog.known()
    return models
