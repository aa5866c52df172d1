"""The claim, and the volume behind it: a class, a claim that exists, or a bucket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from composer.graph import Graph
from orchestrator.errors import ProfileError, RenderError
from orchestrator.profiles import Profile, load_profile
from orchestrator.render import RenderOptions, render
from orchestrator.render.checks import check, external_objects
from orchestrator.render.ownership import is_kept
from tests.orchestrator.render.conftest import Objects, one

MakeGraph = Callable[..., Graph]

BUCKET: dict[str, Any] = {
    "driver": "ru.yandex.s3.csi",
    "handle": "eo-runs/{namespace}/{deployment}",
    "attributes": {"mounter": "geesefs", "options": "--uid 10001 --gid 10001"},
    "publish_secret": {"name": "csi-s3", "namespace": "kube-system"},
    "stage_secret": {"name": "csi-s3", "namespace": "kube-system"},
    "mount_options": ["noatime"],
}


@pytest.fixture
def bucket() -> Profile:
    """A site whose volume is a bucket."""
    values = ["images.registry=registry.example/eo", f"storage.volume={BUCKET}"]
    return load_profile("plain", values)


@pytest.fixture
def objects(make_graph: MakeGraph, bucket: Profile) -> Objects:
    return render(make_graph(), bucket, RenderOptions(namespace="green"))


def test_a_bucket_is_a_volume_of_one_claim_and_keeps_what_is_in_it(
    objects: Objects, bucket: Profile
):
    volume, claim = one(objects, "PersistentVolume"), one(objects, "PersistentVolumeClaim")
    assert not check(objects, external=external_objects(bucket))
    # Of the cluster: its name has to differ between namespaces.
    assert volume["metadata"]["name"] == "green--forest"
    assert "namespace" not in volume["metadata"]
    assert claim["spec"]["volumeName"] == "green--forest"
    # No class makes another volume in its place.
    assert claim["spec"]["storageClassName"] == volume["spec"]["storageClassName"] == ""
    named = volume["spec"]["claimRef"]
    assert (named["namespace"], named["name"]) == ("green", claim["metadata"]["name"])
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert volume["spec"]["accessModes"] == claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert is_kept(volume)
    assert is_kept(claim)
    # What is to be bound is made first.
    kinds = [item["kind"] for item in objects]
    assert kinds.index("PersistentVolume") < kinds.index("PersistentVolumeClaim")


def test_the_driver_is_told_what_the_profile_says(objects: Objects):
    spec = one(objects, "PersistentVolume")["spec"]
    assert spec["mountOptions"] == ["noatime"]
    secret = {"name": "csi-s3", "namespace": "kube-system"}
    assert spec["csi"] == {
        "driver": "ru.yandex.s3.csi",
        "volumeHandle": "eo-runs/green/forest",
        "volumeAttributes": {"mounter": "geesefs", "options": "--uid 10001 --gid 10001"},
        "nodePublishSecretRef": secret,
        "nodeStageSecretRef": secret,
    }


def test_two_deployments_have_two_volumes(make_graph: MakeGraph, bucket: Profile):
    handles = set()
    for place in (("green", "a"), ("green", "b"), ("blue", "a")):
        options = RenderOptions(namespace=place[0], name=place[1])
        volume = one(render(make_graph(), bucket, options), "PersistentVolume")
        handles.add((volume["metadata"]["name"], volume["spec"]["csi"]["volumeHandle"]))
    assert len({name for name, _ in handles}) == len({handle for _, handle in handles}) == 3


def test_a_volume_has_to_know_the_namespace_of_its_claim(make_graph: MakeGraph, bucket: Profile):
    with pytest.raises(RenderError, match=r"storage\.volume.*--namespace"):
        render(make_graph(), bucket, RenderOptions())


@pytest.mark.parametrize("driver", ["s3.csi.aws.com", "s3.csi.scality.com"])
def test_a_driver_that_does_not_rename_is_refused(driver: str):
    with pytest.raises(ProfileError, match=r"storage\.volume\.driver.*rename"):
        load_profile("plain", [f"storage.volume={{driver: {driver}, handle: eo}}"])


def test_a_claim_that_exists_needs_no_volume(make_graph: MakeGraph, bucket: Profile):
    storage = bucket.storage.model_copy(update={"claim": "ours"})
    site = bucket.model_copy(update={"storage": storage})
    kinds = {item["kind"] for item in render(make_graph(), site, RenderOptions(namespace="green"))}
    assert not {"PersistentVolume", "PersistentVolumeClaim"} & kinds


def test_a_claim_of_a_volume_that_is_not_there_is_found(objects: Objects):
    without = [item for item in objects if item["kind"] != "PersistentVolume"]
    messages = [found.message for found in check(without)]
    assert messages == ["there is no PersistentVolume green--forest"]
