"""Components that somebody else has started: they are called where they are, and left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from orchestrator.backends.base import Death
from orchestrator.engine.channels import ChannelSecurity
from orchestrator.engine.plan import NodePlan
from orchestrator.errors import ComponentNotReadyError


class RemoteBackend:
    """Components at given addresses.

    addresses: gRPC target of each node, such as `dns:///host:8061`. plaintext: nodes that speak no
    TLS, whatever is asked for.
    """

    def __init__(
        self,
        addresses: Mapping[str, str],
        *,
        plaintext: Collection[str] = (),
        shares_folder: bool = False,
    ) -> None:
        self._addresses = dict(addresses)
        self._plaintext = frozenset(plaintext)
        self._shares_folder = shares_folder

    @property
    def starts_components(self) -> bool:
        """Whether it starts them: somebody else does."""
        return False

    @property
    def shares_folder(self) -> bool:
        """Whether whoever started them has given them the run's folder."""
        return self._shares_folder

    async def start(self, node: NodePlan) -> tuple[str, ...]:
        """Return the node's address. Raises ComponentNotReadyError where none is known."""
        try:
            return (self._addresses[node.name],)
        except KeyError:
            raise ComponentNotReadyError(
                node.name, "it has no address in EOLOOM_ADDRESSES"
            ) from None

    def security(self, node: str, asked: ChannelSecurity | None) -> ChannelSecurity | None:
        """Return what is asked for, and None for nodes that speak no TLS."""
        return None if node in self._plaintext else asked

    async def died(self, node: str) -> Death:
        """Never return: of components elsewhere only their answers are known."""
        await asyncio.Event().wait()
        raise AssertionError(f"nobody sets the event of {node}")  # pragma: no cover

    async def stop(self) -> None:
        """Do nothing: they belong to somebody else."""
