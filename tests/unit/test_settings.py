"""Settings from the environment: defaults that work, bad values refused by name, secrets kept to themselves."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from nextlabel.errors import SettingsError
from nextlabel.settings import Settings

SECRETS = {
    "NEXTLABEL_DATABASE_URL": "postgresql://nextlabel:hush-1@db/nextlabel",
    "REDIS_URL": "redis://:hush-2@redis:6379/0",
    "NEXTLABEL_PASSWORD": "hush-3",
    "NEXTLABEL_WEBHOOK_SECRET": "hush-4",
    "NEXTLABEL_NOTES_URL": "https://hooks.example.org/hush-7",
    "LABEL_STUDIO_API_KEY": "hush-5",
}


def test_an_empty_environment_keeps_everything_in_the_home_folder() -> None:
    settings = Settings.from_env({"NEXTLABEL_HOME": "/srv/nl"})
    assert settings.home == Path("/srv/nl")
    assert settings.database_url == "sqlite:////srv/nl/nextlabel.db"
    assert settings.models_url == "/srv/nl/models"
    assert settings.redis_url is None


def test_a_variable_that_is_set_to_nothing_counts_as_not_set() -> None:
    names = [*SECRETS, "NEXTLABEL_CONNECTOR", "NEXTLABEL_WORKERS", "NEXTLABEL_LOG_LEVEL", "NEXTLABEL_MODELS_URL"]
    home = {"NEXTLABEL_HOME": "/srv/nl"}
    assert Settings.from_env(home | dict.fromkeys(names, "")) == Settings.from_env(home)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_read_from_a_file_where_the_variable_itself_is_not_set(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRETS[name]}\n", encoding="utf-8")
    home = {"NEXTLABEL_HOME": "/srv/nl"}
    assert Settings.from_env(home | {name: "", f"{name}_FILE": str(file)}) == Settings.from_env(
        home | {name: SECRETS[name]}
    )
    assert Settings.from_env(home | {name: "http://itself", f"{name}_FILE": str(file)}) == Settings.from_env(
        home | {name: "http://itself"}
    )
    for wrong, reason in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(SettingsError, match=f"{name}_FILE is {re.escape(str(wrong))}.*{reason}"):
            Settings.from_env(home | {f"{name}_FILE": str(wrong)})


def test_every_setting_can_be_set_from_the_environment() -> None:
    environ = SECRETS | {
        "NEXTLABEL_HOME": "/srv/nl",
        "NEXTLABEL_MODELS_URL": "s3://bucket/models",
        "NEXTLABEL_CONNECTOR": "memory",
        "NEXTLABEL_USER": "somebody",
        "NEXTLABEL_BACKEND_URL": "http://nextlabel:9090",
        "LABEL_STUDIO_URL": "http://label-studio:8080",
        "NEXTLABEL_WEB_WORKERS": "3",
        "NEXTLABEL_WEB_THREADS": "5",
        "NEXTLABEL_WORKERS": "6",
        "NEXTLABEL_RECONCILE_SECONDS": "7.5",
        "NEXTLABEL_FULL_RECONCILE_HOURS": "48",
        "NEXTLABEL_KEEP_MODELS": "49",
        "NEXTLABEL_MAX_REQUEST_MB": "8",
        "NEXTLABEL_EMBEDDINGS": "/srv/minilm",
        "NEXTLABEL_IMAGE_EMBEDDINGS": "owner/pictures",
        "NEXTLABEL_MODEL": "boxes.py:Boxes",
        "NEXTLABEL_MODEL_START_SECONDS": "9",
        "NEXTLABEL_MODEL_PREDICT_SECONDS": "10",
        "NEXTLABEL_MODEL_FIT_SECONDS": "11",
        "NEXTLABEL_MODEL_MEMORY_MB": "12",
        "NEXTLABEL_MODEL_IDLE_SECONDS": "13",
        "NEXTLABEL_FILE_HOSTS": ".example.org",
        "NEXTLABEL_STRATEGY_FUNCTIONS": "team.order.shortest",
        "NEXTLABEL_HOST": "192.168.1.20",
        "NEXTLABEL_LOG_LEVEL": "debug",
        "NEXTLABEL_LOG": "json",
        "NEXTLABEL_METRICS": "open",
        "NEXTLABEL_PAGES": "read-only",
    }
    plain, changed = Settings.from_env({}), Settings.from_env(environ)
    assert [f.name for f in fields(Settings) if getattr(plain, f.name) == getattr(changed, f.name)] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEXTLABEL_WEB_WORKERS", "0"),
        ("NEXTLABEL_WEB_WORKERS", "two"),
        ("NEXTLABEL_WEB_THREADS", "257"),
        ("NEXTLABEL_WORKERS", "1.5"),
        ("NEXTLABEL_RECONCILE_SECONDS", "0.5"),
        ("NEXTLABEL_RECONCILE_SECONDS", "nan"),
        ("NEXTLABEL_KEEP_MODELS", "1"),
        ("NEXTLABEL_MAX_REQUEST_MB", "-1"),
        ("NEXTLABEL_LOG_LEVEL", "LOUD"),
        ("NEXTLABEL_LOG", "xml"),
        ("NEXTLABEL_METRICS", "maybe"),
        ("NEXTLABEL_PAGES", "none"),
        ("NEXTLABEL_STRATEGY_FUNCTIONS", "team/order.py"),
        ("NEXTLABEL_FILE_HOSTS", "https://images.example.org"),
        ("NEXTLABEL_FILE_HOSTS", "images.example.org/cats"),
        ("NEXTLABEL_FILE_HOSTS", "*.example.org"),
        ("NEXTLABEL_FILE_HOSTS", ".example.org:9000"),
        ("NEXTLABEL_FILE_HOSTS", "example.org, minio:65536"),
        ("NEXTLABEL_FILE_HOSTS", "minio:"),
        ("NEXTLABEL_FILE_HOSTS", "example.org."),
        ("NEXTLABEL_FILE_HOSTS", "."),
    ],
)
def test_a_bad_value_is_refused_by_the_variables_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"{name} is .*{re.escape(value)}.*must be"):
        Settings.from_env({name: value})


def test_hosts_of_files_stand_apart_by_commas_or_white_space() -> None:
    given = " Images.example.org,.example.org\n10.0.0.7:9000 , minio_1:9000,minio_1:9000,"
    hosts = Settings.from_env({"NEXTLABEL_FILE_HOSTS": given}).file_hosts
    assert hosts == ("images.example.org", ".example.org", "10.0.0.7:9000", "minio_1:9000")


def test_secrets_are_not_in_the_settings_repr() -> None:
    assert "hush" not in repr(Settings.from_env(SECRETS))
