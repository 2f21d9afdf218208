"""Where a URI leads, and what is told where it leads nowhere."""

import pytest

from pipeline.mlmd.connection import connect, locate
from pipeline.store_uri import PASSWORD_VARIABLE
from preprocessing.errors import InputError


def test_sqlite_by_default_and_by_path(tmp_path):
    default = tmp_path / "new" / "metadata.sqlite"
    assert locate("", default).uri.path == str(default)
    assert default.parent.is_dir()
    other = tmp_path / "other.sqlite"
    assert locate(f"sqlite://{other}", default).uri.path == str(other)


def test_servers(tmp_path):
    mysql = locate("mysql://me:p%40ss@db.local/mlmd", tmp_path).uri
    assert (mysql.host, mysql.port, mysql.database) == ("db.local", 3306, "mlmd")
    assert (mysql.user, mysql.password) == ("me", "p@ss")
    postgres = locate("postgresql://me@db.local:99/mlmd", tmp_path).uri
    assert (postgres.host, postgres.port, postgres.database) == ("db.local", 99, "mlmd")
    grpc = locate("grpc://mlmd.local:7000", tmp_path).uri
    assert (grpc.host, grpc.port) == ("mlmd.local", 7000)


@pytest.mark.parametrize("uri", ["mysql://", "mysql://me@host", "mysql://host/db", "grpc://"])
def test_missing_parts(tmp_path, uri):
    with pytest.raises(InputError, match=r"pipeline\.metadata_uri"):
        locate(uri, tmp_path)


def test_password_is_not_told(tmp_path):
    with pytest.raises(InputError) as error:
        locate("mysql://me:secret@host", tmp_path)
    assert "secret" not in str(error.value)


def test_password_is_taken_from_the_environment(tmp_path, monkeypatch):
    kept = "mysql://me:***@host/db"
    with pytest.raises(InputError, match=PASSWORD_VARIABLE):
        locate(kept, tmp_path)
    monkeypatch.setenv(PASSWORD_VARIABLE, "from outside")
    assert locate(kept, tmp_path).uri.password == "from outside"
    assert locate("mysql://me@host/db", tmp_path).uri.password == "from outside"
    assert locate("mysql://me:own@host/db", tmp_path).uri.password == "own"
    assert locate("grpc://host", tmp_path).uri.password == ""
    assert "from outside" not in repr(locate(kept, tmp_path))


@pytest.mark.parametrize("scheme", ["mysql", "postgresql", "grpc"])
def test_server_that_is_away_is_told_in_one_line(tmp_path, scheme):
    uri = "grpc://127.0.0.1:1" if scheme == "grpc" else f"{scheme}://me:secret@127.0.0.1:1/db"
    told = []
    with pytest.raises(InputError, match=r"Connection refused at 127\.0\.0\.1, port 1") as error:
        connect(uri, tmp_path, wait_secs=0.3, tell=told.append)
    assert "secret" not in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert len(told) == 1
    assert "trying again for 0.3 s" in told[0]


def test_host_that_does_not_exist_is_told_at_once(tmp_path):
    with pytest.raises(InputError, match=r"host 'nowhere\.invalid': Name or service not known"):
        connect("postgresql://me@nowhere.invalid/db", tmp_path, tell=pytest.fail)


@pytest.mark.parametrize(
    "place", ["there/is a file/metadata.sqlite", "there/folder", "there/is a file"]
)
def test_sqlite_file_that_cannot_be(tmp_path, place):
    (tmp_path / "there" / "folder").mkdir(parents=True)
    (tmp_path / "there" / "is a file").write_text("no database")
    with pytest.raises(InputError, match=r"pipeline\.metadata_uri") as error:
        connect(f"sqlite://{tmp_path / place}", tmp_path, tell=pytest.fail)
    assert len(str(error.value).splitlines()) == 1
