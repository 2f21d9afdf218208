"""The Beam options of a local run, from the config and the size of the corpus."""

from pipeline.config import BeamConfig

# Worker processes take about 7 s to start in each Beam node and then roughly double the images a
# second (350 to 700 on two cores): from about this many images on they are faster.
MULTI_PROCESSING_MIN_IMAGES = 5000
# TFX packs its own source for the workers of every Beam node, which then install it, unless an
# image is said to have it. Workers of the DirectRunner have this very environment, and look at no
# image.
_NO_PACKAGE = "--sdk_container_image=none"

# For a node whose work is TensorFlow's, which uses all cores by itself: worker processes would each
# load the model, and take 1.6 times the processor time. Last on a command line, it overrides what
# the other nodes have; other runners do not look at it.
ONE_DIRECT_PROCESS = ("--direct_running_mode=in_memory", "--direct_num_workers=1")


def beam_args(config: BeamConfig, num_images: int) -> list[str]:
    """Options for the Beam stages, as on Beam's command line.

    Args:
      config: the config's section.
      num_images: number of images in the corpus, which decides `direct_running_mode: auto`.
    """
    options = [f"--runner={config.runner}"]
    if config.runner == "DirectRunner":
        mode = config.direct_running_mode
        if mode == "auto":
            large = num_images >= MULTI_PROCESSING_MIN_IMAGES
            mode = "multi_processing" if large else "in_memory"
        # In memory, more workers are threads that wait for each other.
        workers = config.num_workers if mode == "multi_processing" else 1
        options += [f"--direct_running_mode={mode}", f"--direct_num_workers={workers}"]
        options.append(_NO_PACKAGE)
    return [*options, *config.args]
