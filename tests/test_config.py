"""Settings: defaults, sources, and every mistake named at once."""

from pathlib import Path

import pytest

from premrunner.config import SETTINGS, load_settings
from premrunner.errors import SettingsInvalid


def test_an_empty_environment_gives_the_defaults():
    settings = load_settings({}, dotenv=None)
    assert (settings.host, settings.port, settings.engine, settings.starter) == ("127.0.0.1", 3001, "auto", "auto")
    assert settings.data_path == Path("instance").absolute()
    assert settings.auth_token == ""


def test_every_wrong_setting_is_named_at_once():
    wrong = {"PORT": "99999", "AUTH_TOKEN": "short", "PREMRUNNER_ENGINE": "vllm", "DATABASE_URL": "mysql://x"}
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(wrong, dotenv=None)
    assert [problem.split()[0] for problem in caught.value.problems] == [
        "AUTH_TOKEN",
        "PORT",
        "PREMRUNNER_ENGINE",
        "DATABASE_URL",
    ]
    assert "short" not in str(caught.value)


def test_the_environment_beats_the_dotenv_file_and_empty_means_not_given(tmp_path):
    dotenv = tmp_path / ".env"
    dotenv.write_text("PORT=4000\nHOST=0.0.0.0\nLOG_LEVEL=debug\n")
    settings = load_settings({"PORT": "5000", "LOG_LEVEL": ""}, dotenv)
    assert (settings.port, settings.host, settings.log_level) == (5000, "0.0.0.0", "debug")


def test_a_file_cannot_be_the_data_folder(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SettingsInvalid, match="DATA_PATH must be a folder"):
        load_settings({"DATA_PATH": str(file)}, dotenv=None)


@pytest.mark.parametrize("port", ["0", "-1", "3001.0", "٣", "1e3", " "])
def test_a_port_is_a_whole_number(port):
    if not port.strip():
        assert load_settings({"PORT": ""}, dotenv=None).port == 3001
        return
    with pytest.raises(SettingsInvalid, match="PORT"):
        load_settings({"PORT": port}, dotenv=None)


def test_a_postgresql_address_gets_its_driver():
    settings = load_settings({"DATABASE_URL": "postgres://u:p@h/db"}, dotenv=None)
    assert settings.database_url == "postgresql+psycopg://u:p@h/db"


def test_every_setting_has_a_meaning_and_an_attribute():
    settings = load_settings({}, dotenv=None)
    for setting in SETTINGS:
        assert setting.meaning.endswith(".")
        assert hasattr(settings, setting.attribute)
