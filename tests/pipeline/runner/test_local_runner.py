from small_dag import SmallRuns


def test_results_say_where_inputs_come_from_and_what_the_node_took(tmp_path):
    runs = SmallRuns(tmp_path)
    ran = runs.run("text")
    assert {name: result.state for name, result in ran.items()} == dict.fromkeys(ran, "ran")
    assert ran["Counter"].sources == {
        "original": [("Writer", "written")],
        "source": [("Copier", "copy")],
    }
    assert sorted(ran["Counter"].after) == ["Copier", "Writer"]
    assert (ran["Writer"].sources, ran["Writer"].after) == ({}, [])
    assert ran["Writer"].settings["text"] == "text"
    assert all(result.peak_memory_mb > 1 for result in ran.values())

    cached = runs.run("text")
    assert {result.state for result in cached.values()} == {"cached"}
    assert cached["Counter"].sources == ran["Counter"].sources
    # What a look at the cache takes says nothing of the node.
    assert {result.peak_memory_mb for result in cached.values()} == {None}


def test_a_part_of_the_pipeline_has_all_nodes(tmp_path):
    skipped = SmallRuns(tmp_path).run("text", last="Copier")["Counter"]
    assert (skipped.state, skipped.peak_memory_mb) == ("skipped", None)
    assert sorted(skipped.after) == ["Copier", "Writer"]
