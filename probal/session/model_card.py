"""The README.md beside exported weights: what the model is, what it needs, how good it is, where it fails."""

from __future__ import annotations

from probal import __version__
from probal.session.loop import Session
from probal.session.portable import PortableAdapter
from probal.types import Role

_CARD = """# {name}: an adapter for {classes} classes

A classifier on top of a frozen image encoder, fitted by ProbAL {version} with the adapter `{adapter}` on {labels}
labeled images. It gives calibrated class probabilities: BayesAdapter's temperature was fitted with the weights.

| | |
|---|---|
| Encoder | `{encoder}` (fingerprint `{fingerprint}`) |
| Vectors | {width} numbers per image: {vectors} |
| Classes | {class_names} |
| Labels | {labels} to learn from, {audit} more to measure with |
| Accuracy | {accuracy} |

## Use

`predict.py` needs numpy and safetensors and nothing of ProbAL:

```
python predict.py vectors.npy > predictions.csv
```

`vectors.npy` holds one row of {width} numbers per image. `adapter.onnx`, where it was exported too, does the same in
any ONNX runtime: input `vectors`, outputs `probabilities` and `label`.

## Limits

- It is worth what its encoder is: vectors of another encoder, or of other weights of it, give nonsense.
- It knows these classes and no other; an image of none of them still gets a class.
- The labeled images were chosen by a strategy and are no random sample, which is why the accuracy above is measured
  on others.
{more}"""


def model_card(session: Session, adapter: PortableAdapter) -> str:
    """Markdown, from what the store knows of the project."""
    store, project = session.store, session.project
    counts = store.label_counts(project.id)
    latest = store.latest_round(project.id)
    names = [each.name for each in session.classes]
    width = adapter.weights.shape[1]
    without = [each.name for each in session.classes if each.id not in counts[Role.POOL]]
    more = [
        f"- Classes without a label, known by their name alone: {', '.join(without)}." if without else "",
        "- The project uses a posterior of the encoder (BayesVLM); these files hold the adapter alone, so their "
        "probabilities are a little surer than ProbAL's."
        if latest is not None and "posterior" in latest.config
        else "",
    ]
    return _CARD.format(
        name=project.name,
        classes=len(names),
        version=__version__,
        adapter=project.config.adapter,
        labels=sum(counts[Role.POOL].values()),
        audit=sum(counts[Role.AUDIT].values()) + sum(counts[Role.TEST].values()),
        encoder=project.config.encoder,
        fingerprint=latest.encoder_fingerprint if latest is not None else "unknown",
        width=width,
        vectors=_vectors(project.config.encoder),
        class_names=", ".join(name.replace("|", "\\|") for name in names),
        accuracy=_accuracy(session),
        more="".join(f"{line}\n" for line in more if line),
    )


def _vectors(encoder: str) -> str:
    if encoder.startswith("open_clip:"):
        return "`model.encode_image(preprocess(image))` of open_clip, of any length"
    if encoder == "embedded":
        return "the pooled features of timm's `tf_efficientnet_lite0` (`num_classes=0`), not centred"
    return "as they were brought into the project"


def _accuracy(session: Session) -> str:
    found = session.store.metrics(session.project.id, "accuracy")
    if not found:
        return "not measured yet: no image of the audit is labeled"
    last = found[-1]
    interval = "" if last.low is None else f", 95% interval {last.low:.1%} to {last.high:.1%}"
    source = {"audit": "images drawn at random", "test": "test images"}.get(
        last.detail.get("source", ""), "images"
    )
    note = "; few, so take it as a first guess" if last.preliminary else ""
    return f"{last.value:.1%} on {last.n} {source}{interval}{note}"
