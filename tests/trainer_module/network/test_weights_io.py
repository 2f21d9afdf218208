"""Weights from and to keras.applications, and from trainings of our own."""

import io
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from preprocessing.errors import InputError
from trainer_module.network import architectures, weights_io
from trainer_module.network.initial_weights import initial_weights
from trainer_module.network.model import Network


def from_keras(model: keras.Model) -> dict[str, np.ndarray]:
    """The named arrays of a keras.applications model, nested or not; a dense layer is the head."""
    arrays = {}
    for layer in model.layers:
        if hasattr(layer, "layers"):
            arrays |= from_keras(layer)
        elif layer.weights:
            name = "predictions" if isinstance(layer, keras.layers.Dense) else layer.name
            names = [variable.path.rsplit("/", 1)[-1] for variable in layer.weights]
            arrays |= {
                f"{name}/{variable}": value
                for variable, value in zip(names, layer.get_weights(), strict=True)
            }
    return arrays


def base(pooling: str | None = "avg") -> keras.Model:
    return keras.applications.EfficientNetV2B0(
        weights=None, include_top=False, pooling=pooling, input_shape=(64, 64, 3)
    )


def standard() -> keras.Model:
    return keras.applications.EfficientNetV2B0(weights=None, classes=7, input_shape=(64, 64, 3))


def flat() -> keras.Model:
    features = base()
    return keras.Model(features.input, keras.layers.Dense(7, name="animals")(features.output))


def nested() -> keras.Model:
    """As people fine-tune: augmentation, the network as one layer, a new head; compiled."""
    image = keras.Input((64, 64, 3))
    x = base(pooling=None)(keras.layers.RandomFlip()(image))
    x = keras.layers.Dropout(0.2)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, keras.layers.Dense(7, activation="softmax")(x))
    model.compile("adam", "categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)  # whose state is in the files as well
    return model


@pytest.fixture(scope="module", params=[standard, flat, nested], ids=lambda build: build.__name__)
def fine_tuned(request):
    keras.utils.set_random_seed(1)
    return request.param()


@pytest.fixture(scope="module")
def reference():
    return standard()


def b0(classes: int) -> Network:
    return Network(architectures.build("efficientnetv2-b0", classes))


def save(model: keras.Model, path: Path) -> str:
    model.save_weights(path) if path.name.endswith(".weights.h5") else model.save(path)
    return str(path)


@pytest.mark.parametrize("name", ["m.weights.h5", "m.h5", "m.keras"])
def test_all_files_of_a_model_give_the_same_weights(fine_tuned, tmp_path, name):
    path, network = save(fine_tuned, tmp_path / name), b0(7)
    loaded = weights_io.load_initial(path, network, initial_weights(network, seed=0))
    expected = from_keras(fine_tuned)
    assert all(np.array_equal(loaded[name], expected[name]) for name in loaded)
    assert len(loaded) == sum(
        len(layout.specs) for layout in (network.kernels, network.vectors, network.statistics)
    )


@pytest.mark.parametrize("name", ["m.weights.h5", "m.h5", "m.keras"])
def test_a_head_of_two_layers_is_replaced_and_the_network_is_taken(tmp_path, name):
    features = base()
    hidden = keras.layers.Dense(16, activation="relu")(features.output)
    model = keras.Model(features.input, keras.layers.Dense(7)(hidden))
    path, network = save(model, tmp_path / name), b0(7)
    fresh = initial_weights(network, seed=0)
    loaded = weights_io.load_initial(path, network, fresh)
    assert all(np.array_equal(loaded[name], fresh[name]) for name in weights_io.HEAD)
    expected = from_keras(features)
    assert all(np.array_equal(loaded[name], value) for name, value in expected.items())


CLASS_NAMES = {
    keras.layers.Conv2D: "conv2d",
    keras.layers.DepthwiseConv2D: "depthwise_conv2d",
    keras.layers.BatchNormalization: "batch_normalization",
}


@pytest.mark.parametrize("arch", ["s", "m", "l"])
def test_layers_that_files_count_are_in_the_order_of_keras(arch, tmp_path):
    build = getattr(keras.applications, f"EfficientNetV2{arch.upper()}")
    model = build(weights=None, include_top=False, input_shape=(32, 32, 3))
    # Keras's counts, with a number for each layer instead of its weights.
    counts: dict[str, int] = {}
    numbers = {}
    with h5py.File(tmp_path / "m.weights.h5", "w") as file:
        for number, layer in enumerate(layer for layer in model.layers if layer.weights):
            kind = CLASS_NAMES[type(layer)]
            index = counts[kind] = counts.get(kind, -1) + 1
            numbers[layer.name] = number
            for place in range(len(layer.weights)):
                file[f"layers/{kind}{f'_{index}' if index else ''}/vars/{place}"] = float(number)
    found = weights_io.read(
        str(tmp_path / "m.weights.h5"), architectures.build(f"efficientnetv2-{arch}", 3)
    )
    assert {name: int(value) for name, value in found.items()} == {
        f"{layer.name}/{variable.path.rsplit('/', 1)[-1]}": numbers[layer.name]
        for layer in model.layers
        for variable in layer.weights
    }


def test_reads_the_files_of_keras_2(reference, tmp_path):
    """Its names end in `:0`, and a depthwise convolution's kernel has a name of its own."""
    path = tmp_path / "efficientnetv2-b0_notop.h5"
    expected = from_keras(reference)
    with h5py.File(path, "w") as file:
        for name, value in expected.items():
            layer, variable = name.split("/")
            depthwise = "depthwise_" if layer.endswith("_dwconv2") else ""
            file[f"{layer}/{layer}/{depthwise}{variable}:0"] = value
    network = b0(7)
    loaded = weights_io.load_initial(str(path), network, initial_weights(network, seed=0))
    assert all(np.array_equal(loaded[name], expected[name]) for name in loaded)
    # A `.keras` file whose description no Keras 3 understands: only its weights are looked at.
    model = tmp_path / "m.keras"
    reference.save(model)
    with zipfile.ZipFile(model) as archive, zipfile.ZipFile(tmp_path / "2.keras", "w") as old:
        old.writestr("config.json", '{"class_name": "Functional", "module": "keras.src.engine"}')
        old.writestr("model.weights.h5", archive.read("model.weights.h5"))
    loaded = weights_io.load_initial(
        str(tmp_path / "2.keras"), network, initial_weights(network, seed=0)
    )
    assert all(np.array_equal(loaded[name], expected[name]) for name in loaded)


def test_gives_its_weights_to_keras(reference):
    network = b0(7)
    weights = initial_weights(network, seed=5)
    weights_io.to_keras(weights, reference)
    received = from_keras(reference)
    assert all(np.array_equal(received[name], value) for name, value in weights.items())


def test_a_head_of_another_size_is_replaced_and_nothing_else(reference, tmp_path):
    path = str(tmp_path / "model.weights.h5")
    reference.save_weights(path)
    network = b0(3)
    fresh = initial_weights(network, seed=0)
    loaded = weights_io.load_initial(path, network, fresh)
    assert all(np.array_equal(loaded[name], fresh[name]) for name in weights_io.HEAD)
    expected = from_keras(reference)
    assert all(
        np.array_equal(loaded[name], expected[name])
        for name in loaded
        if name not in weights_io.HEAD
    )


def test_own_files_round_trip(tmp_path):
    network = Network(architectures.build("efficientnetv2-s", 4, 0.1, 0.1))
    weights = initial_weights(network, seed=2)
    path = str(tmp_path / weights_io.WEIGHTS_FILE)
    weights_io.save(path, weights)
    loaded = weights_io.load_initial(path, network, initial_weights(network, seed=0))
    assert all(np.array_equal(loaded[name], value) for name, value in weights.items())


@pytest.mark.parametrize(
    ("in_file", "wanted", "named"),  # width and depth coefficient
    [
        ((0.1, 0.1), (0.3, 0.1), r"top_conv/kernel|block.*kernel|stem.*kernel"),
        ((0.1, 1.0), (0.1, 0.1), r"Received besides: \d+, as block"),  # not a part of a larger one
    ],
)
def test_what_does_not_fit_is_named(tmp_path, in_file, wanted, named):
    path = str(tmp_path / weights_io.WEIGHTS_FILE)
    other = Network(architectures.build("efficientnetv2-s", 4, *in_file))
    weights_io.save(path, initial_weights(other, seed=2))
    network = Network(architectures.build("efficientnetv2-s", 4, *wanted))
    with pytest.raises(InputError, match=named):
        weights_io.load_initial(path, network, initial_weights(network, seed=0))


def test_a_layer_too_many_is_named_in_both_kinds_of_files(tmp_path):
    image = keras.Input((64, 64, 1))
    features = base()
    x = keras.layers.Conv2D(3, 1, name="colours")(image)
    for layer in features.layers[1:4]:  # not all of the network, and one convolution before it
        x = layer(x)
    model = keras.Model(image, x)
    network = b0(3)
    for name in ("m.weights.h5", "m.h5", "m.keras"):
        path = save(model, tmp_path / name)
        with pytest.raises(
            InputError, match=r"efficientnetv2-b0 with these coeff.*Received: "
        ) as e:
            weights_io.load_initial(path, network, initial_weights(network, seed=0))
        assert "\n" not in str(e.value)


def broken_zip(*, inner: bytes | None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("config.json", "{}")
        if inner is not None:
            archive.writestr("model.weights.h5", inner)
    return buffer.getvalue()


def hdf5(**arrays) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return buffer.getvalue()


BROKEN = {
    "nothing": None,
    "text": b"no weights",
    "empty": b"",
    "zip without weights": broken_zip(inner=None),
    "zip with other weights": broken_zip(inner=b"no weights"),
    "cut zip": broken_zip(inner=bytes(3000))[:-40],
    "cut HDF5": hdf5(a=np.zeros(5000))[:3000],
    "HDF5 of something else": hdf5(a=np.zeros(3), b=np.zeros((4, 4))),
    "empty HDF5": hdf5(),
    "a number as a weight": hdf5(stem_conv_kernel=3.0),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("ending", [".weights.h5", ".keras", ".h5"])
def test_other_files_are_refused_in_one_line(tmp_path, content, ending):
    path = tmp_path / f"model{ending}"
    if content is not None:
        path.write_bytes(content)
    network = b0(3)
    with pytest.raises(InputError, match=r"init_weights.* must (be a|hold the)") as error:
        weights_io.load_initial(str(path), network, initial_weights(network, seed=0))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_a_folder_is_no_weights_file(tmp_path):
    with pytest.raises(InputError, match="which is no file"):
        weights_io.read(str(tmp_path), b0(3).architecture)
