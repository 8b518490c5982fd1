"""Digests and manifests, as bytes."""

import hashlib
import json
import random

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

EMPTY_JSON = b"{}"


def digest_of(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def random_bytes(size, seed=None):
    return random.Random(seed).randbytes(size)


def descriptor(data, media_type, **more):
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **more}


def encode(document):
    return json.dumps(document, separators=(",", ":")).encode()


def image_manifest(config=EMPTY_JSON, layers=(), config_type=OCI_CONFIG, **more):
    """The bytes of an OCI image manifest over these blobs; `more` are further fields, such as subject=, annotations=."""
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(config, config_type),
            "layers": [descriptor(layer, OCI_LAYER) for layer in layers],
            **more,
        }
    )


def docker_manifest(config, layers):
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": descriptor(config, DOCKER_CONFIG),
            "layers": [descriptor(layer, DOCKER_LAYER) for layer in layers],
        }
    )


def image_index(manifests, media_type=OCI_INDEX, **more):
    """The bytes of an index over descriptors."""
    return encode({"schemaVersion": 2, "mediaType": media_type, "manifests": list(manifests), **more})


def artifact(subject, artifact_type, **more):
    """The bytes of an artifact over the empty blob that refers to a subject (a descriptor)."""
    return image_manifest(config_type=OCI_EMPTY, artifactType=artifact_type, subject=subject, **more)
