"""The step that is tried before a training is one of that training."""

from trainer_module import memory_probe
from trainer_module.config import TrainConfig
from trainer_module.distributed import SingleProcess


def test_the_probe_computes_in_the_data_format_of_the_training():
    # Compiled, as TensorFlow's own CPU kernels want channels last.
    config = TrainConfig(
        width_coefficient=0.1,
        depth_coefficient=0.1,
        data_format="channels_first",
        use_xla=True,
        train_batch_size=2,
        img_size=32,
    )
    built = memory_probe.take_step(config, 5, SingleProcess())
    graph = built.step.get_concrete_function().graph.as_graph_def()
    nodes = [node for function in graph.library.function for node in function.node_def]
    convolutions = [node for node in nodes if "Conv2d" in node.op or "Conv2D" in node.op]
    assert len(convolutions) > 10
    assert {node.attr["data_format"].s for node in convolutions} == {b"NCHW"}
