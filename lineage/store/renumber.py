"""A record with the numbers that its executions and artifacts have in another store."""

from collections.abc import Mapping

import pydantic

from lineage.record.run import Run


def renumbered(run: Run, executions: Mapping[int, int], artifacts: Mapping[int, int]) -> Run:
    """Changes all numbers in a record.

    Args:
      run: the record.
      executions: the new numbers of executions by the old ones.
      artifacts: the same of artifacts.
    """

    def of_keys(numbers: Mapping[str, list[int]]) -> dict[str, list[int]]:
        return {key: [artifacts[number] for number in found] for key, found in numbers.items()}

    nodes = [
        node.model_copy(
            update={
                "execution_id": executions.get(node.execution_id),
                "inputs": of_keys(node.inputs),
                "outputs": of_keys(node.outputs),
            }
        )
        for node in run.nodes
    ]
    named = [a.model_copy(update={"id": artifacts[a.id]}) for a in run.artifacts]
    parts = {name: getattr(run, name) for name in ("source", "dataset", "model", "evaluation")}
    told = {name: _part(part, artifacts) for name, part in parts.items() if part is not None}
    return run.model_copy(
        update={"nodes": nodes, "artifacts": sorted(named, key=lambda a: a.id), **told}
    )


def _part(part: pydantic.BaseModel, artifacts: Mapping[int, int]) -> pydantic.BaseModel:
    number = part.artifact_id
    return part.model_copy(update={"artifact_id": artifacts.get(number, number)})
