import pytest

from pipeline.mlmd.connection import connect, connection_config
from preprocessing.errors import InputError


def test_sqlite_by_default_and_by_path(tmp_path):
    default = tmp_path / "new" / "metadata.sqlite"
    assert connection_config("", default).sqlite.filename_uri == str(default)
    assert default.parent.is_dir()
    other = tmp_path / "other.sqlite"
    assert connection_config(f"sqlite://{other}", default).sqlite.filename_uri == str(other)


def test_servers(tmp_path):
    mysql = connection_config("mysql://me:p%40ss@db.local/mlmd", tmp_path).mysql
    assert (mysql.host, mysql.port, mysql.database) == ("db.local", 3306, "mlmd")
    assert (mysql.user, mysql.password) == ("me", "p@ss")
    postgres = connection_config("postgresql://me@db.local:99/mlmd", tmp_path).postgresql
    assert (postgres.host, postgres.port, postgres.dbname) == ("db.local", "99", "mlmd")
    grpc = connection_config("grpc://mlmd.local:7000", tmp_path)
    assert (grpc.host, grpc.port) == ("mlmd.local", 7000)


@pytest.mark.parametrize("uri", ["mysql://", "mysql://me@host", "mysql://host/db", "grpc://"])
def test_missing_parts(tmp_path, uri):
    with pytest.raises(InputError, match=r"pipeline\.metadata_uri"):
        connection_config(uri, tmp_path)


def test_password_is_not_told(tmp_path):
    with pytest.raises(InputError) as error:
        connection_config("mysql://me:secret@host", tmp_path)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("scheme", ["mysql", "postgresql", "grpc"])
def test_server_that_is_away_is_told_in_one_line(tmp_path, scheme):
    uri = "grpc://127.0.0.1:1" if scheme == "grpc" else f"{scheme}://me:secret@127.0.0.1:1/db"
    with pytest.raises(InputError, match="ML Metadata cannot be reached") as error:
        connect(uri, tmp_path)
    assert "secret" not in str(error.value)
    assert len(str(error.value).splitlines()) == 1
