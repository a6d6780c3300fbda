"""Where a fit begins: the model of the last round before the labels that came since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from probal.session.snapshot import read_fit, snapshot_path
from probal.types import Project
from probal.workspace import Workspace


def start_of(
    workspace: Workspace,
    project: Project,
    watermark: int,
    encoder_fingerprint: str,
    posterior_id: str | None,
    class_ids: Sequence[int],
) -> Mapping[str, Tensor] | None:
    """Tensors of the last round's fit with an event watermark below this one; None where that says nothing.

    It depends on what is stored alone, so a restarted process and a replay begin where the first fit began. A round
    of another adapter, encoder, posterior or other classes is no beginning.
    """
    earlier = [each for each in workspace.store.rounds(project.id) if each.event_watermark < watermark]
    if not earlier:
        return None
    last = earlier[-1]
    made_by = (last.config["adapter"], last.encoder_fingerprint, last.config.get("posterior"))
    if made_by != (project.config.adapter, encoder_fingerprint, posterior_id):
        return None
    return read_fit(snapshot_path(workspace, project, last.index), class_ids)
