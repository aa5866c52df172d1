"""The way into a cluster: a kubeconfig, or the account of the pod that this runs in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import urllib3

from composer.extras import install_command
from orchestrator.backends.kubernetes.errors import ClusterAccessError

if TYPE_CHECKING:
    from orchestrator.backends.kubernetes.cluster import Cluster

_DEFAULT_KUBECONFIG: Final = "~/.kube/config"
_NAMESPACE_OF_POD: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

# Every request that is sent may be sent twice: applies, deletes and reads are idempotent.
_RETRIES: Final = urllib3.Retry(
    total=6,
    connect=3,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    backoff_factor=0.2,
    backoff_jitter=0.2,
    backoff_max=10,
    retry_after_max=60,
    raise_on_status=False,
)


def connect(context: str = "", namespace: str = "") -> Cluster:
    """Return the cluster of a kubeconfig's context, or the one that this process runs in.

    The kubeconfig is KUBECONFIG's, else `~/.kube/config`; embedded certificates, tokens and exec
    plugins work. Without a kubeconfig the account of the pod is used. context: one of the
    kubeconfig, else its current one. namespace: else the context's, else the pod's, else
    `default`. Nothing is sent yet.

    Raises ClusterAccessError, SettingsError where the extra `k8s` is missing.
    """
    _require_client()
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import load_incluster_config
    from kubernetes.config.config_exception import ConfigException

    from orchestrator.backends.kubernetes.cluster import Cluster

    configuration: Any = Configuration()
    # The generated default of 4 keeps watches from running side by side.
    configuration.connection_pool_maxsize = 32
    configuration.retries = _RETRIES
    # A log that is followed may be silent for hours; a dead connection must not look like one.
    configuration.keep_alive = True
    kubeconfig = os.environ.get("KUBECONFIG", "")
    for file in filter(None, kubeconfig.split(os.pathsep)):
        if not Path(file).expanduser().exists():
            raise ClusterAccessError(f"the kubeconfig {file} does not exist (KUBECONFIG)")
    try:
        if kubeconfig or context or Path(_DEFAULT_KUBECONFIG).expanduser().exists():
            default = _load_kubeconfig(configuration, kubeconfig or _DEFAULT_KUBECONFIG, context)
        else:
            load_incluster_config(client_configuration=configuration)
            default = _NAMESPACE_OF_POD.read_text().strip()
    except ConfigException as error:
        has_file = kubeconfig or context or Path(_DEFAULT_KUBECONFIG).expanduser().exists()
        reason = (
            f"{kubeconfig or _DEFAULT_KUBECONFIG}: {error}"
            if has_file
            else f"there is no {_DEFAULT_KUBECONFIG}, and this is no pod with a service account"
        )
        raise ClusterAccessError(
            f"no way into a cluster: {reason}; set KUBECONFIG to its kubeconfig"
        ) from error
    except OSError as error:
        raise ClusterAccessError(f"cannot read the account of the pod: {error}") from error
    return Cluster(ApiClient(configuration), namespace or default or "default")


def _load_kubeconfig(configuration: Any, files: str, context: str) -> str:
    """Load a kubeconfig into the configuration; return the context's namespace."""
    import yaml
    from kubernetes.config import list_kube_config_contexts, load_kube_config
    from kubernetes.config.config_exception import ConfigException

    try:
        contexts, current = list_kube_config_contexts(config_file=files)
        names = [str(each["name"]) for each in contexts]
        if context and context not in names:
            raise ClusterAccessError(
                f"{files} has no context {context!r}; it has: {', '.join(names) or 'none'}"
            )
        load_kube_config(
            config_file=files, context=context or None, client_configuration=configuration
        )
    except (yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise ConfigException(f"{files} is not a kubeconfig: {error}") from error
    chosen = next((each for each in contexts if each["name"] == context), current)
    return str((chosen.get("context") or {}).get("namespace") or "")


def _require_client() -> None:
    """Raise SettingsError, naming the extra, where the client is not installed."""
    try:
        import kubernetes  # noqa: F401
    except ModuleNotFoundError as error:
        from orchestrator.errors import SettingsError

        raise SettingsError(
            f"the Kubernetes client is not installed: {install_command('k8s')}"
        ) from error
