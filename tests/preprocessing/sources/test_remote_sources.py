"""Sources on s3://, against a server that speaks S3 on this machine."""

import hashlib
import os
import re

import pytest
from container_files import example, pngs, write_tar, write_tfrecord

from preprocessing import features
from preprocessing.errors import InputError
from preprocessing.files import records
from preprocessing.ingest import ingest
from preprocessing.sources import opening, spans, storage

CLASSES = ["ant", "bee"]
PICTURES = [(CLASSES[number % 2], data) for number, data in enumerate(pngs(20))]
BUCKET = "pictures"


@pytest.fixture(scope="module")
def s3():
    """A client of a fresh server; Beam's filesystem finds the server by its environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client
    server.stop()


@pytest.fixture(scope="module")
def corpora(s3, tmp_path_factory):
    """The same pictures in every format; the names of the objects by format."""
    local = tmp_path_factory.mktemp("remote")
    made = [example(image__encoded=data, image__class__text=name) for name, data in PICTURES]
    write_tfrecord(local / "records" / "x-00000-of-00002", made[::2])
    write_tfrecord(local / "records" / "x-00001-of-00002.gz", made[1::2], compressed=True)
    members = {}
    lines = ["path,label"]
    for number, (name, data) in enumerate(PICTURES):
        path = f"folder/{name}/{number} [köpek].png"
        s3.put_object(Bucket=BUCKET, Key=path, Body=data)
        lines.append(f"{path},{name}")
        members |= {f"{number}.png": data, f"{number}.cls": name.encode()}
    lines.append("folder/none.png,ant")
    write_tar(local / "tars" / "x.tar", members)
    for path in local.rglob("*"):
        if path.is_file():
            s3.upload_file(str(path), BUCKET, str(path.relative_to(local)))
    s3.put_object(Bucket=BUCKET, Key="list.csv", Body="\n".join(lines).encode())
    s3.put_object(Bucket=BUCKET, Key="folder/ant/.hidden.png", Body=b"x")
    s3.put_object(Bucket=BUCKET, Key="folder/empty/", Body=b"")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("folder", "folder"),
        ("list.csv", "manifest"),
        ("records", "tfrecord"),
        ("records/x-*", "tfrecord"),
        ("tars/x.tar", "webdataset"),
    ],
)
@pytest.mark.usefixtures("corpora")
def test_every_format_is_read_from_s3(tmp_path, path, expected, make_pipeline):
    source = opening.open_source(f"s3://{BUCKET}/{path}")
    assert source.format == expected
    assert source.survey(1000).num_images >= 1
    assert source.fingerprint() == source.fingerprint()
    ingest.ingest(
        source,
        str(tmp_path / "out"),
        make_pipeline=make_pipeline(),
        eval_fraction=0.3,
        seed=3,
    )
    found = [
        records.parse_record(record)
        for shard in (tmp_path / "out").glob("Split-*/*")
        for record in records.read_records(str(shard))
    ]
    bad = [values for values in found if features.PROBLEM in values]
    assert [values[features.FILENAME].decode() for values in bad] == (
        [f"s3://{BUCKET}/folder/none.png"] if expected == "manifest" else []
    )
    assert sorted(
        (values[features.CLASS_TEXT].decode(), values[features.ENCODED])
        for values in found
        if values not in bad
    ) == sorted(PICTURES)
    for values in found:
        assert values[features.FILENAME].decode().startswith(f"s3://{BUCKET}/")
        digest = hashlib.sha256(values[features.ENCODED]).hexdigest()
        assert values[features.SHA256].decode() == digest


@pytest.mark.usefixtures("corpora")
def test_fingerprint_sees_a_changed_object(s3):
    def now():
        return opening.open_source(f"s3://{BUCKET}/folder").fingerprint()

    before = now()
    s3.put_object(Bucket=BUCKET, Key="folder/ant/new.png", Body=b"1")
    added = now()
    s3.put_object(Bucket=BUCKET, Key="folder/ant/new.png", Body=b"22")
    changed = now()
    s3.delete_object(Bucket=BUCKET, Key="folder/ant/new.png")
    assert len({before, added, changed}) == 3
    assert now() == before


def test_spans_on_s3(s3):
    for key in ("7/v3/a.csv", "10/v1/a.csv", "10/v2/a.csv", "11/other/a.csv"):
        s3.put_object(Bucket=BUCKET, Key=f"days/{key}", Body=b"1")
    resolved = spans.resolve(f"s3://{BUCKET}/days/{{SPAN}}/v{{VERSION}}")
    assert (resolved.path, resolved.span, resolved.version) == (
        f"s3://{BUCKET}/days/10/v2",
        10,
        2,
    )
    assert spans.resolve(f"s3://{BUCKET}/days/{{SPAN}}/v{{VERSION}}/a.csv").span == 10


@pytest.mark.usefixtures("corpora")
def test_what_cannot_be_reached_is_refused_in_one_line():
    for path in ("nothing", "folder/nothing*"):
        with pytest.raises(InputError) as caught:
            opening.open_source(f"s3://{BUCKET}/{path}")
        assert re.search(r"nothing", str(caught.value))
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"zzz://") as caught:
        opening.open_source("zzz://bucket/x")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"cannot be reached: .*hdfs_host"):
        opening.open_source("hdfs://host/x")  # no --hdfs_host is given


@pytest.mark.usefixtures("corpora")
def test_limits_hold_for_remote_files():
    path = f"s3://{BUCKET}/list.csv"
    assert storage.read_file(path, 10_000).startswith(b"path,label")
    with pytest.raises(storage.ReadError, match="larger than 10 bytes"):
        storage.read_file(path, 10)
    with pytest.raises(storage.ReadError):
        storage.read_file(f"s3://{BUCKET}/nothing", 10)
    assert storage.is_file(path)
    assert not storage.is_file(f"s3://{BUCKET}/folder")
    assert storage.absolute(path) == path
    assert os.path.isabs(storage.absolute("x"))
