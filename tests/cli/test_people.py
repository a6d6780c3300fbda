from __future__ import annotations

import json


def test_people_of_a_project_and_their_settings(probal, pool, tmp_path):
    probal("init", "p", "--images", pool, "--classes", "red,blue")
    assert "Nobody has labeled yet" in probal("people", "p").stdout
    result = probal("people", "p", "--share", "0.25", "--annotators", "3", "--repeats", "0.1")
    assert result.exit_code == 0
    assert "25% of the pool is labeled by 3 people" in result.stderr
    found = json.loads(probal("people", "p", "--json").stdout)
    assert (found["people"], found["alpha"], found["disputes"]) == ([], None, [])
    bad = probal("people", "p", "--share", "2")
    assert bad.exit_code == 2
    assert "between 0 and 1" in bad.stderr
