"""`probal posterior` and `next --target` on a tiny open_clip model with random weights: the loop, no network."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from probal.encoders._torchvision import make_torchvision_importable
from tests.cli.conftest import Run, draw_pool, invoke

pytestmark = pytest.mark.embedded  # open_clip comes with that extra

MODEL = "probal-posterior-test"
CONFIG = {
    "embed_dim": 10,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
P_IMAGE, P_TEXT, D = 32, 16, 10


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    make_torchvision_importable()
    import open_clip

    folder = tmp_path_factory.mktemp("model")
    (folder / f"{MODEL}.json").write_text(json.dumps(CONFIG))
    open_clip.add_model_config(folder / f"{MODEL}.json")
    generator = torch.Generator().manual_seed(0)
    state = {
        key: torch.randn(value.shape, generator=generator) * 0.2 if value.is_floating_point() else value
        for key, value in open_clip.create_model(MODEL).state_dict().items()
    }
    state["logit_scale"] = torch.tensor(3.0)
    torch.save(state, folder / "weights.pt")
    return folder / "weights.pt"


@pytest.fixture
def probal(workspace: Path, pool: Path, weights: Path) -> Run:
    run = partial(invoke, workspace)
    encoder = f"open_clip:{MODEL}/{weights}"
    made = run(
        "init", "toy", "--images", pool, "--classes", "blue,red", "--encoder", encoder, "--audit", "0.2"
    )
    assert made.exit_code == 0, made.output
    assert run("embed", "toy").exit_code == 0
    return run


def show(probal: Run) -> dict[str, object]:
    found = probal("posterior", "show", "toy", "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def published(folder: Path, columns: int = P_IMAGE) -> Path:
    folder.mkdir()
    for tag, width in (("img", columns), ("txt", P_TEXT)):
        for letter, size in (("A", width), ("B", D)):
            root = torch.randn(size, size + 3, generator=torch.Generator().manual_seed(size))
            torch.save(root @ root.mT, folder / f"{letter}_{tag}_analytic.pt")
    numbers = {"lambda_img": 5.0, "n_img": 1.0, "lambda_txt": 6.0, "n_txt": 1.0}
    (folder / "prior_precision_analytic.json").write_text(json.dumps(numbers))
    return folder


def test_the_whole_loop(probal: Run, pool: Path, tmp_path: Path) -> None:
    made = probal("posterior", "estimate", "toy", "--pseudo-count", "50")
    assert made.exit_code == 0, made.output
    assert "counted as 50" in made.output
    assert "no better than the plain model" in made.output
    before = show(probal)
    assert (before["on"], before["labels"]) == (True, 0)
    assert before["image"]["columns"] == P_IMAGE
    assert before["text"]["columns"] == P_TEXT
    assert before["image"]["uncertain"] == 2  # the span of two classes
    assert before["record"]["identity"] is False
    named = json.loads(probal("next", "toy", "-n", "4", "--json").stdout)
    labels = tmp_path / "labels.csv"
    rows = [f"{each['path']},{'red' if int(Path(each['path']).stem) % 2 else 'blue'}" for each in named]
    labels.write_text("path,label\n" + "\n".join(rows) + "\n")
    assert probal("label", "toy", labels).exit_code == 0
    after = show(probal)
    assert after["labels"] == 4
    assert after["image"]["count"] == 54.0
    assert len(after["rounds"]) >= 1
    assert probal("predict", "toy", "--to", tmp_path / "p.csv").exit_code == 0
    table = probal("posterior", "show", "toy")
    assert "InfoNCE" in table.stdout
    assert "4 labeled images add their own curvature" in table.stdout


def test_the_target_is_named_and_asked_again_the_batch_is_the_same(probal: Run, tmp_path: Path) -> None:
    target = draw_pool(tmp_path / "target")
    for with_posterior in (False, True):
        if with_posterior:
            assert probal("posterior", "estimate", "toy").exit_code == 0
        words = ("next", "toy", "-n", "2", "--target", target, "--distance", "wasserstein", "--json")
        first, again = probal(*words), probal(*words)
        assert first.exit_code == 0, first.output
        assert first.stdout == again.stdout
        rows = json.loads(first.stdout)
        assert [row["target"] for row in rows] == 2 * [str(target)]
        assert [row["strategy"] for row in rows] == 2 * ["epig"]
    plain = json.loads(probal("next", "toy", "-n", "2", "--json").stdout)
    assert [row["target"] for row in plain] == 2 * [None]


def test_off_on_and_remove(probal: Run, tmp_path: Path) -> None:
    for word in ("off", "on", "show", "remove"):
        missing = probal("posterior", word, "toy")
        assert missing.exit_code == 2
        assert "make one: probal posterior estimate toy" in " ".join(missing.output.split())
    assert probal("posterior", "estimate", "toy", "--damping", "factored").exit_code == 0
    assert show(probal)["image"]["damping"] == "factored"
    assert probal("posterior", "off", "toy").exit_code == 0
    assert show(probal)["on"] is False
    assert probal("posterior", "on", "toy").exit_code == 0
    probal("next", "toy", "--json", "-n", "3")
    gone = probal("posterior", "remove", "toy")
    assert gone.exit_code == 0
    assert "1 rounds were proposed with it" in gone.output
    assert probal("next", "toy", "-n", "3").exit_code == 0


def test_published_factors(probal: Run, tmp_path: Path) -> None:
    made = probal("posterior", "import", "toy", published(tmp_path / "factors"), "--damping", "factored")
    assert made.exit_code == 0, made.output
    found = show(probal)
    assert found["image"]["prior_precision"] == 5.0  # the published λ belongs to this form
    assert found["text"]["prior_precision"] == 6.0
    assert found["record"]["source"] == "published"
    assert found["record"]["count"] == 327_680
    assert probal("next", "toy", "-n", "2", "--strategy", "bald").exit_code == 0
    wrong = probal("posterior", "import", "toy", published(tmp_path / "wrong", columns=7))
    assert wrong.exit_code == 2
    assert "image tower: the published factors are for activations of 7" in " ".join(wrong.output.split())
    assert show(probal)["record"] == found["record"]  # nothing was lost


def test_pairs(probal: Run, pool: Path, tmp_path: Path) -> None:
    pairs = pool.parent / "pairs.csv"
    pairs.write_text("path,caption\n" + "".join(f"{i:02d}.png,picture {i} of noise\n" for i in range(12)))
    made = probal("posterior", "estimate", "toy", "--pairs", pairs)
    assert made.exit_code == 0, made.output
    found = show(probal)
    assert found["record"]["source"] == "pairs"
    assert found["image"]["uncertain"] == D
    assert (
        found["record"]["count"] + found["labels"] == found["image"]["count"] < 12
    )  # audit images only measure
    pairs.write_text("path,caption\nnowhere.png,a cat\n")
    wrong = probal("posterior", "estimate", "toy", "--pairs", pairs)
    assert wrong.exit_code == 2
    assert "nowhere.png" in wrong.output


def test_own_vectors_have_no_layer(workspace: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "v.npz", x=rng.normal(size=(60, 6)).astype(np.float32))
    run = partial(invoke, workspace)
    made = run("init", "own", "--vectors", tmp_path / "v.npz", "--classes", "a,b")
    assert made.exit_code == 0, made.output
    assert run("embed", "own").exit_code == 0
    refused = run("posterior", "estimate", "own")
    assert refused.exit_code == 2
    assert "tells no activations" in refused.output
