"""What holds for every page, in a real browser."""

from .tour import TOUR, pages_of


def test_every_page_is_on_the_tour(app):
    """A new page takes its place in ``tour.py``; what is no page at all is named there too."""
    assert pages_of(app) == {stop.endpoint for stop in TOUR if stop.endpoint}
