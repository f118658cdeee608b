"""The application, and the engine that it finds running, as the tests of the wires have them."""

from tests.wires import conftest

engine = conftest.engine
